"""What people do, one function for each use case: (ports, actor, command) -> result or findings.

Permission, four eyes, the change and its audit event share one register transaction. Command line, page and approval
task call the same function.
"""
