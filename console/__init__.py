"""What people touch: the command line, and Airflow's pages, timetables and tasks. No rules and no SQL here."""
