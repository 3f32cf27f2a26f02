"""What Airflow loads of ours: timetables, the operator, callbacks. Wiring only; no rules, no SQL, nothing heavy at import."""
