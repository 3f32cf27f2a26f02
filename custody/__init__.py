"""The domain of fund supervision, in pure Python: no Airflow, no Spark, no database, no file system."""
