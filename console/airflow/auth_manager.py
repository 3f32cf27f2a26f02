"""Airflow's FAB log-in and roles, but for one right that FAB cannot tell from another: to answer a question takes the right to edit its DAG, and who
may edit a DAG may pause it. A supervisor decides and does not run the machinery (domain.md §10), so the DAG itself is edited only by who may
edit every DAG: the operator."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.www.security.permissions import RESOURCE_DAG


class CustodyAuthManager(FabAuthManager):  # type: ignore[misc]  # airflow is not type-checked here
    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: DagAccessEntity | None = None, details: DagDetails | None = None
    ) -> bool:
        if access_entity is None and method == "PUT":
            return bool(self._is_authorized(method=method, resource_type=RESOURCE_DAG, user=user))
        return bool(super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details))
