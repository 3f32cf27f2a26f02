"""Row sets as data (reports.catalogue): one YAML file for each."""
