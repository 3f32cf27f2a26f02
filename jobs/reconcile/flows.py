"""Flow relations: the engine matches what is clean, the core judges the rest.

The engine joins the two sides and finds the pairs that agree in everything (nearly all rows). Only what is left comes to
Python, where custody.matching gives each key its verdict. Nothing is paired by an arbitrary row number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from pyspark.sql import SparkSession

from custody.matching import Bucket, Relation, Verdict, judge_group
from custody.ports import Row
from custody.stages import is_posted_stage, stages
from jobs.reconcile.engine_rules import left_side_sql, netting_relations_sql, pair_kind_sql


@dataclass(frozen=True)
class FlowMatches:
    """``matched`` holds the engine's clean pairs as rows of the matches table; ``rest`` all other items, for judgement;
    ``seen``: (relation, key) of those that were matched on an earlier day."""

    matched: pa.Table
    rest: list[Row]
    seen: frozenset[tuple[str, str]]


def match_flows(spark: SparkSession, relations: Sequence[Relation]) -> FlowMatches:
    """Match view ``items`` (new and carried in) against each other; ``matched_before`` holds keys of earlier days.

    A pair is clean when each side has exactly one row with the key, the key is not null and was never matched before,
    and no pair rule is broken (for a relation that nets: the sums agree).
    """
    spark.sql(
        f"""
        select i.relation, i.match_key, count(*) as n,
               sum(if({left_side_sql(relations, "i")}, 1, 0)) as n_left,
               sum(if({left_side_sql(relations, "i")}, i.amount_minor, -i.amount_minor)) as difference,
               min(i.currency) = max(i.currency) as one_currency
        from items i where i.match_key is not null group by i.relation, i.match_key
        """
    ).createOrReplaceTempView("keys")
    spark.sql(
        f"""
        select l.relation, l.match_key
        from items l
        join items r on r.relation = l.relation and r.match_key = l.match_key
        join keys k on k.relation = l.relation and k.match_key = l.match_key
        where {left_side_sql(relations, "l")} and not {left_side_sql(relations, "r")} and k.n = 2 and k.n_left = 1
          and l.relation not in ({netting_relations_sql(relations)}) and {pair_kind_sql(relations, "l", "r")} is null
        union all
        select k.relation, k.match_key from keys k
        where k.relation in ({netting_relations_sql(relations)}) and k.n_left > 0 and k.n > k.n_left and k.difference = 0
          and k.one_currency
        """
    ).createOrReplaceTempView("agreeing")
    spark.sql(
        """
        select a.relation, a.match_key from agreeing a
        left anti join matched_before m on m.relation = a.relation and m.match_key = a.match_key
        """
    ).createOrReplaceTempView("clean")
    matched = spark.sql(
        f"""
        select i.relation, i.side, i.row_ref, i.item_date, i.platform, i.subject, '{Bucket.MATCHED}' as bucket,
               if(k.n = 2, 'exact', 'group') as rule, i.match_key, i.amount_minor, i.status
        from items i
        join clean c on c.relation = i.relation and c.match_key = i.match_key
        join keys k on k.relation = i.relation and k.match_key = i.match_key
        """
    ).toArrow()
    rest = spark.sql("select i.* from items i left anti join clean c on c.relation = i.relation and c.match_key = i.match_key")
    rest.createOrReplaceTempView("rest")
    seen = spark.sql(
        """
        select distinct r.relation, r.match_key from rest r
        left semi join matched_before m on m.relation = r.relation and m.match_key = r.match_key
        """
    ).toArrow()
    keys = zip(seen["relation"].to_pylist(), seen["match_key"].to_pylist(), strict=True)
    return FlowMatches(matched, rest.toArrow().to_pylist(), frozenset(keys))


def judge_rest(
    relations: Sequence[Relation],
    rest: Iterable[Row],
    as_of: date,
    files_missing: frozenset[str],
    matched_before: frozenset[tuple[str, str]],
    waiting_keys: frozenset[str],
) -> Iterator[tuple[Relation, list[Row], Verdict]]:
    """Each key's unmatched items with their verdict, in order of relation and key. A null key is a group of its own."""
    by_name = {relation.name: relation for relation in relations}
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for item in sorted(rest, key=lambda i: (i["relation"], i["side"], i["row_ref"])):
        alone = item["row_ref"] if item["match_key"] is None else ""
        groups[item["relation"], item["match_key"] or "", alone].append(item)
    for (name, key, _alone), items in sorted(groups.items()):
        relation = by_name[name]
        for stage in stages(relation, items):
            # What we posted of a movement under way is no repetition of what matched since.
            again = (name, key) in matched_before and not is_posted_stage(stage)
            yield relation, stage, judge_group(relation, stage, as_of, files_missing, again, key in waiting_keys)
