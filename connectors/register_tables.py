"""The register's tables (design.md §2): organisations, files, step outputs, decisions, cases, alerts, audit events.

JSON columns hold canonical JSON text. Times are when something happened here; dates are custody dates.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from custody.match_rules import LEVELS

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, String(200), nullable=null)


def _json(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _severity() -> Column[str]:
    """Ordered by weight, and not by letters."""
    return Column("severity", String(200), nullable=False, info={"in_order": LEVELS})


person = Table(
    "person",
    metadata,
    Column("person_id", String(60), primary_key=True),
    _text("display_name"),
    _json("roles"),
    Column("active", Boolean, nullable=False),
)

party = Table(
    "party",
    metadata,
    Column("party", String(10), primary_key=True),
    _text("kind"),
    _text("name_en"),
    _text("name_zh"),
)

# What holds for a party from a custody date on, until the next row of the same party.
party_status = Table(
    "party_status",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    _text("status"),
)
party_contract = Table(
    "party_contract",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    _json("contract"),
)

# Log-in keys (SSH) and file keys (OPENPGP), each for the dates on which it works; null: from the beginning, or without an end.
party_key = Table(
    "party_key",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("key_use", String(20), primary_key=True),
    Column("fingerprint", String(100), primary_key=True),
    Column("public_key", Text, nullable=False),
    Column("valid_from", Date, nullable=True),
    Column("valid_to", Date, nullable=True),
    _text("state"),
    # In which order keys were registered, whichever party's.
    Column("added_no", Integer, nullable=False),
    info={"numbered_by": "added_no"},
)

# Whom to call; ``shown`` is masked, ``sealed`` holds name, telephone and mail under a key of the contact's own.
party_contact = Table(
    "party_contact",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    _json("shown"),
    Column("sealed", Text, nullable=False),
    Column("wrapped_key", Text, nullable=False),
)

# What became of an onboarded party's samples; ``basis``: digest of them and of the contract.
acceptance_test = Table(
    "acceptance_test",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("test_no", Integer, primary_key=True, autoincrement=False),
    Column("basis", String(64), nullable=False),
    Column("contract_digest", String(64), nullable=False),
    Column("custody_date", Date, nullable=False),
    _text("outcome"),
    Column("files", Integer, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("report_name", String(80), nullable=False),
    _text("tested_by"),
    _text("tested_at"),
)

proposal = Table(
    "proposal",
    metadata,
    Column("proposal_id", String(64), primary_key=True),
    _text("kind"),
    _text("subject"),
    _json("payload"),
    _text("maker"),
    _text("proposed_at"),
    _text("state"),
    _text("checker", null=True),
    _text("decided_at", null=True),
    Column("decision_no", Integer, nullable=True, unique=True),
    Column("decision_note", Text, nullable=True),
    Column("note", Text, nullable=False),
    Index("ix_proposal_state", "state", "kind"),
)

# Versions of reconciliation rules that two people adopted; the first versions are the program's own (schemas/rules).
adopted_rule = Table(
    "adopted_rule",
    metadata,
    Column("rule_id", String(60), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from", Date, nullable=False),
    _json("entry"),
    _text("digest"),
    _text("proposal_id"),
)

file = Table(
    "file",
    metadata,
    Column("file_name", String(80), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    _text("party"),
    _text("file_type"),
    Column("custody_date", Date, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    _text("state"),
    _text("rule", null=True),
    _json("figures"),
    _text("layout", null=True),
    _text("encoding", null=True),
    Column("bytes", BigInteger, nullable=False),
    # As the seal says; any number that a platform writes must fit.
    Column("rows", BigInteger, nullable=True),
    _json("totals"),
    # As the seal says: how many batches carry this type for this date in all; null where more were to follow.
    Column("batches", Integer, nullable=True),
    _text("archive_ref", null=True),
    _text("seal_name", null=True),
    _text("received_at"),
    # Of an OpenPGP message that was opened: its content, in the archive under a reference of its own. A day lands that.
    Column("plain_bytes", BigInteger, nullable=True),
    Column("plain_sha256", String(64), nullable=True),
    _text("plain_ref", null=True),
    # The custody date whose cut-off sealed this file as an input; null until then.
    Column("cut_off_date", Date, nullable=True),
    Index("ix_file_custody_date", "custody_date", "party"),
)

file_event = Table(
    "file_event",
    metadata,
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    _text("file_name"),
    _text("sha256"),
    _text("event"),
    _json("details"),
    _text("at"),
    # Who ran or decided it; null for an event of before it was kept.
    Column("actor", String(60), nullable=True),
    Index("ix_file_event_file_name", "file_name"),
    # The register gives the next number itself.
    info={"numbered_by": "event_no"},
)

# What contract and calendar promise: a row for each party, file type, custody date and batch (custody.file_schedule).
expected_file = Table(
    "expected_file",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("file_type", String(40), primary_key=True),
    Column("custody_date", Date, primary_key=True),
    Column("batch", Integer, primary_key=True),
    _text("state"),
    # Moments in UTC+8 as text, which sorts as they do.
    _text("cut_off_at"),
    _text("due_at"),
    _text("missing_from"),
    # The file in force that keeps the promise; null while there is none.
    Column("file_name", String(80), nullable=True),
    Column("sha256", String(64), nullable=True),
    # How often it was called missing, the last time when, and under which alert.
    Column("misses", Integer, nullable=False),
    _text("missed_at", null=True),
    Column("alert_id", String(64), nullable=True),
    Index("ix_expected_file_custody_date", "custody_date", "party", "state"),
    Index("ix_expected_file_state", "state", "missing_from"),
)

outbound = Table(
    "outbound",
    metadata,
    Column("file_name", String(80), primary_key=True),
    _text("party"),
    # What it says: the content as it was made here.
    _text("sha256"),
    _text("archive_ref"),
    _text("state"),
    # Since when it is owed: its deadline, and when it is given up, count from here.
    _text("queued_at"),
    # Tries that failed since then, when the next one is due, and what the last one said.
    Column("attempts", Integer, nullable=False),
    _text("next_attempt_at", null=True),
    Column("last_reason", Text, nullable=True),
    # What goes over the wire, fixed before the first try: the content itself, or what was made of it for this party.
    _text("wire_name", null=True),
    Column("wire_bytes", BigInteger, nullable=True),
    _text("wire_sha256", null=True),
    _text("wire_ref", null=True),
    # Lay there whole, read back equal; sealed there; read or removed by the party.
    _text("sent_at", null=True),
    _text("proved_at", null=True),
    _text("taken_at", null=True),
    # The desk lists what is not done with.
    Index("ix_outbound_state", "state", "party"),
)

# What is known against a party's own host: a row from its first failure until it works again.
dialled_host = Table(
    "dialled_host",
    metadata,
    Column("party", String(10), primary_key=True),
    # Of the host, port, user and key that failed: a contract that names others begins anew.
    _text("terms_digest"),
    Column("failures", Integer, nullable=False),
    _text("next_dial_at"),
    Column("stopped", Boolean, nullable=False),
    Column("last_reason", Text, nullable=False),
)

# Parties into whose drop the last sweeps could not look, with us or on their own hosts; ``drop`` is our own server as a whole.
unread_drop = Table(
    "unread_drop",
    metadata,
    Column("party", String(10), primary_key=True),
    _text("since"),
    Column("sweeps", Integer, nullable=False),
    Column("last_reason", Text, nullable=False),
)

# Files of hosts on which nothing may be renamed: what we are reading, as it was when we began.
host_claim = Table(
    "host_claim",
    metadata,
    Column("party", String(10), primary_key=True),
    Column("name", String(100), primary_key=True),
    _text("mark"),
    Column("bytes", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
)

step_output = Table(
    "step_output",
    metadata,
    Column("custody_date", Date, primary_key=True),
    Column("step", String(30), primary_key=True),
    Column("version", Integer, primary_key=True),
    _text("run_digest"),
    _text("inputs_digest"),
    _text("manifest_digest"),
    Column("path", Text, nullable=False),
    _text("code_digest"),
    Column("fence", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    _text("committed_at"),
)

publication = Table(
    "publication",
    metadata,
    Column("custody_date", Date, primary_key=True),
    Column("step", String(30), primary_key=True),
    Column("version", Integer, primary_key=True),
    _text("manifest_digest"),
    _text("published_at"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("fence", Integer, nullable=False),
    # Unix time in whole seconds; 0 = released.
    Column("expires_at", BigInteger, nullable=False),
)

recon_case = Table(
    "recon_case",
    metadata,
    Column("case_id", String(64), primary_key=True),
    _text("platform"),
    _text("sides"),
    Column("subject", Text, nullable=False),
    _text("kind"),
    _text("state"),
    _severity(),
    Column("amount_minor", BigInteger, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("last_seen_on", Date, nullable=False),
    Column("closed_on", Date, nullable=True),
    _text("closed_by", null=True),
    Column("episode", Integer, nullable=False),
    _text("evidence_digest"),
    _json("evidence"),
    _text("cause", null=True),
    # The person responsible; null until somebody is.
    Column("owner", String(60), nullable=True),
    # The bank business day by whose end it is to be settled; null for a case of before it was kept.
    Column("due_on", Date, nullable=True, info={"null_last": True}),
    # Who opened it again after it was settled: until two people settle it anew it stays open, whatever is found.
    Column("reopened_by", String(60), nullable=True),
    Index("ix_recon_case_state", "state", "platform"),
)

# All that ever happened to a case, in order. Nothing is changed or deleted here.
case_event = Table(
    "case_event",
    metadata,
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    Column("case_id", String(64), nullable=False, index=True),
    _text("event"),
    # Of what a custody day did; null for what a person did.
    Column("custody_date", Date, nullable=True),
    _text("actor"),
    _text("at"),
    _json("details"),
    Column("note", Text, nullable=False),
    info={"numbered_by": "event_no"},
)

# What a charging period that has ended comes to, by the newest day that rated it: a projection of the fees steps (jobs.fees); beside it what
# was charged for it in all. ``is_open``: they differ.
fee_period = Table(
    "fee_period",
    metadata,
    Column("platform", String(10), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("last", Date, nullable=False),
    _text("currency"),
    Column("net_minor", BigInteger, nullable=False),
    Column("vat_minor", BigInteger, nullable=False),
    # Minor units of each component, which sum to the net.
    _json("components"),
    # The date whose fees step says so, and that step's digest.
    Column("rated_on", Date, nullable=False),
    _text("seal"),
    Column("charged_net_minor", BigInteger, nullable=False),
    Column("charged_vat_minor", BigInteger, nullable=False),
    # How many charges there were.
    Column("charges", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False, index=True),
)

# What a platform is to pay or to get back, made by two people's approval (custody.services.fee_charges, fee_surplus). ``kind``: RATED, what a
# period comes to beyond what was charged for it; SURPLUS, what the core took beyond what it was asked for.
fee_charge = Table(
    "fee_charge",
    metadata,
    Column("charge_no", String(60), primary_key=True),
    Column("platform", String(10), nullable=False),
    _text("period"),
    _text("kind"),
    # The charge that it corrects.
    _text("cites", null=True),
    _text("currency"),
    Column("net_minor", BigInteger, nullable=False),
    Column("vat_minor", BigInteger, nullable=False),
    # Below nothing: to be given back.
    Column("gross_minor", BigInteger, nullable=False),
    # Minor units of each component, which sum to the net.
    _json("components"),
    # The date whose fees step it was drawn from, and that step's digest.
    Column("accrued_on", Date, nullable=False),
    _text("seal"),
    Column("due_on", Date, nullable=False),
    _text("state"),
    # What is left is the gross less these: below nothing where the core gave back, and where this one was set off against another.
    Column("collected_minor", BigInteger, nullable=False),
    Column("set_off_minor", BigInteger, nullable=False),
    Column("written_off_minor", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    # The bank business day from which it goes out (again); null while the core has not answered, and when nothing is left.
    Column("next_try_on", Date, nullable=True),
)

# Each try of a charge, and what the core answered; ``answered_on`` is the custody date whose posting has the first answer.
fee_attempt = Table(
    "fee_attempt",
    metadata,
    Column("request_no", String(60), primary_key=True),
    Column("charge_no", String(60), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("vat_minor", BigInteger, nullable=False),
    _text("file_name"),
    Column("sent_on", Date, nullable=False),
    Column("answered_on", Date, nullable=True, index=True),
    Column("collected_minor", BigInteger, nullable=False),
)

# Every draft that a report step sealed, and what became of it (custody.release_life). ``period_end``: its period's last day;
# ``custody_date``, ``step_version``: the step's output that holds it.
report_release = Table(
    "report_release",
    metadata,
    Column("report_id", String(60), primary_key=True),
    Column("period", String(20), primary_key=True),
    # The party that it is about; "" for the whole bank.
    Column("scope", String(10), primary_key=True),
    Column("draft_no", Integer, primary_key=True, autoincrement=False),
    Column("period_end", Date, nullable=False),
    Column("custody_date", Date, nullable=False),
    Column("step_version", Integer, nullable=False),
    _text("manifest_digest"),
    Column("path", Text, nullable=False),
    _text("seal_name"),
    # Of its files' names and digests.
    _text("content_digest"),
    # name -> [bytes, SHA-256]; [date, step, version, manifest digest] of each input.
    _json("files"),
    _json("inputs"),
    _text("state"),
    # The how-many-th release of the report and period; null until two people released it.
    Column("release_no", Integer, nullable=True),
    _text("proposal_id", null=True),
    # What its maker said of what stands out.
    _json("explanations"),
    # What was handed over.
    _text("package_name", null=True),
    _text("package_sha256", null=True),
    _text("package_ref", null=True),
    _text("drafted_at"),
    Index("ix_report_release_state", "state"),
)
report_event = Table(
    "report_event",
    metadata,
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    Column("report_id", String(60), nullable=False),
    Column("period", String(20), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("draft_no", Integer, nullable=False),
    _text("state"),
    Column("actor", String(60), nullable=False),
    _text("at"),
    _json("details"),
    Index("ix_report_event_report", "report_id", "period", "scope"),
    info={"numbered_by": "event_no"},
)
# A release's package to one recipient (the file of ``outbound``), and what he answered.
report_delivery = Table(
    "report_delivery",
    metadata,
    Column("file_name", String(80), primary_key=True),
    Column("report_id", String(60), nullable=False),
    Column("period", String(20), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("draft_no", Integer, nullable=False),
    Column("party", String(10), nullable=False),
    _text("outcome", null=True),
    Column("reason", Text, nullable=True),
    _text("receipt_ref", null=True),
    _text("receipt_sha256", null=True),
    _text("answered_at", null=True),
    Index("ix_report_delivery_report", "report_id", "period", "scope", "draft_no"),
)

# Each leg of an answer, as its custody date posted it; below nothing where the core gave back, nothing where it failed. Without a charge:
# nobody asked for it.
fee_answer = Table(
    "fee_answer",
    metadata,
    Column("platform", String(10), primary_key=True),
    Column("request_no", String(200), primary_key=True),
    Column("leg", Integer, primary_key=True),
    Column("posted_on", Date, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("charge_no", String(60), nullable=True),
)

alert = Table(
    "alert",
    metadata,
    Column("alert_id", String(64), primary_key=True),
    _text("rule"),
    _text("platform"),
    Column("subject", Text, nullable=False),
    _severity(),
    Column("raised_on", Date, nullable=False),
    Column("last_seen_on", Date, nullable=False),
    _json("figures"),
    Column("words_en", Text, nullable=False),
    Column("words_zh", Text, nullable=False),
    _text("state"),
    # Whose turn it is (which of its rule's, and the duty) and until when he has to answer, UTC+8; null until somebody was told, and while
    # nobody is waited for.
    Column("turn", Integer, nullable=False),
    Column("duty", String(20), nullable=True),
    _text("answer_by", null=True),
    _text("acknowledged_by", null=True),
    # Who closed it and why, and on which custody date it had last been seen then; null for one that closed itself.
    Column("closed_by", String(60), nullable=True),
    Column("closed_reason", Text, nullable=True),
    Column("closed_seen_on", Date, nullable=True),
    # When what it warned of was over, and how that came about; null while it lasts, and for an alert that nothing but a person ends.
    _text("ended_at", null=True),
    Column("ended_en", Text, nullable=True),
    Column("ended_zh", Text, nullable=True),
    Index("ix_alert_state", "state", "answer_by"),
    Index("ix_alert_raised_on", "raised_on", "platform"),
    Index("ix_alert_platform", "platform", "state"),
)

# All that ever happened to an alert, in order; of what somebody has to be told, whether his message is queued.
alert_event = Table(
    "alert_event",
    metadata,
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    Column("alert_id", String(64), nullable=False, index=True),
    _text("at"),
    Column("actor", String(60), nullable=False),
    Column("event", String(20), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("words_en", Text, nullable=False),
    Column("words_zh", Text, nullable=False),
    Column("told", Boolean, nullable=False),
    Index("ix_alert_event_told", "told"),
    info={"numbered_by": "event_no"},
)

# What goes to one recipient by one channel. Addresses stand nowhere here: they are looked up when it goes, and kept masked.
alert_message = Table(
    "alert_message",
    metadata,
    Column("message_id", String(64), primary_key=True),
    Column("whom", String(10), nullable=False),
    # A duty, a party, a sub-account; the role in which a party's contact is called.
    Column("recipient", String(80), nullable=False),
    Column("contact", String(20), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("languages", String(20), nullable=False),
    Column("mode", String(10), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    _text("queued_at"),
    # It goes no earlier: a digest's hour, or the end of quiet hours.
    _text("not_before"),
    # What it says, fixed before the first try.
    Column("subject", Text, nullable=True),
    Column("body", Text, nullable=True),
    # Tries that failed, when the next one is due, and what the last one said. A try whose end is not known began at tried_at.
    Column("attempts", Integer, nullable=False),
    _text("next_attempt_at", null=True),
    _text("tried_at", null=True),
    Column("last_reason", Text, nullable=True),
    # The last try failed since the gateway was away: it says nothing about this message.
    Column("gateway_away", Boolean, nullable=False),
    # Tries of which we do not know whether they came through: so often the recipient may have had it beside the one that counts.
    Column("in_doubt", Integer, nullable=False),
    _text("sent_at", null=True),
    _text("address", null=True),
    # What the gateway answered: its own number, or the file's name.
    Column("proof", Text, nullable=True),
    Index("ix_alert_message_state", "state", "channel", "not_before"),
)

# Which happenings a message tells of.
alert_told = Table(
    "alert_told",
    metadata,
    Column("message_id", String(64), primary_key=True),
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    Column("alert_id", String(64), nullable=False, index=True),
)

# A row is made by the approval of a deletion and is its commit point: what has to be deleted follows from it.
erased_customer = Table(
    "erased_customer",
    metadata,
    Column("proposal_id", String(64), primary_key=True),
    Column("customer_id", String(60), nullable=False),
    # The last custody date of which nothing personal may be kept of him any more.
    Column("erased_up_to", Date, nullable=False),
    # What the plan said that the law keeps, and until when.
    _json("kept"),
    _text("approved_at"),
    # When everything was deleted; null until then.
    _text("erased_at", null=True),
    # When what the law kept was removed as well; null until then.
    _text("purged_at", null=True),
)

# What deletions took out of the tables whose rows are proved against the lake: the proof expects so much less.
removed_rows = Table(
    "removed_rows",
    metadata,
    Column("proposal_id", String(64), primary_key=True),
    Column("store_table", String(40), primary_key=True),
    Column("salt", Integer, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    # Amounts and digests are sums over the rows, beyond 64 bits: as text.
    _text("sum_minor"),
    _text("digest"),
)

holiday = Table(
    "holiday",
    metadata,
    Column("day", Date, primary_key=True),
    Column("business_day", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("event_no", Integer, primary_key=True, autoincrement=False),
    _text("at"),
    _text("actor"),
    _text("action"),
    Column("subject", Text, nullable=False),
    _json("details"),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("hash"),
    Index("ix_audit_event_subject", "subject", "event_no"),
)
