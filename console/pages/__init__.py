"""The desk's pages inside Airflow: server-rendered, behind Airflow's log-in and our own permissions."""
