"""healthy.py URL SERVICE: ends 0 when Airflow's API server says that this service of it is healthy (compose's health checks)."""

import json
import sys
import urllib.request

url, service = sys.argv[1:]
with urllib.request.urlopen(url, timeout=5) as answer:
    status = json.load(answer)[service]["status"]
print(status)
sys.exit(status != "healthy")
