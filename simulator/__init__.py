"""The market's world model: parties, people, loans and money as they truly are, and labelled faults in what is sent.

It shares no rule with the system under test: it sees only names, money, calendar, identity numbers and file layouts.
"""
