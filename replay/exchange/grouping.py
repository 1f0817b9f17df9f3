"""What clients may do with order groups (protocol 13.4).

Units as in orders.py. Knows whose group is whose. Must not know matching, which counts and triggers by itself.
"""

from collections.abc import Callable

from replay.exchange import refusals
from replay.exchange.action import Action
from replay.exchange.floor import Floor
from replay.exchange.groups import Group
from replay.exchange.happenings import GroupChanged, GroupEvent
from replay.exchange.orders import Refusal
from replay.exchange.views import GroupView


class Groups:
    """Order groups: a limit on what their orders may match within 15 seconds.

    Each command is told the time and first does what is due; groups that are not the account's are `not_found`.
    """

    __slots__ = ("_advance", "_floor")

    def __init__(self, floor: Floor, advance: Callable[[int], None]) -> None:
        self._floor = floor
        self._advance = advance

    def create(self, account: str, contracts_limit: int | None, now_ns: int) -> GroupView | Refusal:
        """A new group; its limit in 1/100 contract, None = none."""
        self._advance(now_ns)
        floor = self._floor
        groups = floor.groups.setdefault(floor.accounts[account].account, {})
        if contracts_limit is not None and contracts_limit <= 0:
            return refusals.invalid("contracts_limit must be positive")
        if len(groups) >= floor.options.order_groups:
            return refusals.TOO_MANY_GROUPS
        group = Group(floor.ids(), account, contracts_limit)
        groups[group.group_id] = group
        self._tell(Action(floor, account), group, GroupEvent.CREATED)
        return self._view(group)

    def trigger(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Cancel its orders and refuse new ones until it is reset; nothing more when it is triggered already."""
        group = self._find(account, group_id, now_ns)
        if group is None:
            return refusals.NOT_FOUND
        if not group.triggered:
            action = Action(self._floor, account)
            action.trigger(group)
            action.commit()
        return self._view(group)

    def reset(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Count from 0 again, and take orders again."""
        group = self._find(account, group_id, now_ns)
        if group is None:
            return refusals.NOT_FOUND
        group.reset()
        self._tell(Action(self._floor, account), group, GroupEvent.RESET)
        return self._view(group)

    def set_limit(self, account: str, group_id: str, contracts_limit: int, now_ns: int) -> GroupView | Refusal:
        """Change its limit; one that the counter has reached triggers it."""
        group = self._find(account, group_id, now_ns)
        if group is None:
            return refusals.NOT_FOUND
        if contracts_limit <= 0:
            return refusals.invalid("contracts_limit must be positive")
        group.limit = contracts_limit
        action = Action(self._floor, account)
        self._tell(action, group, GroupEvent.LIMIT_UPDATED)
        if group.is_due(self._floor.now_ns):
            action = Action(self._floor, account)
            action.trigger(group)
            action.commit()
        return self._view(group)

    def delete(self, account: str, group_id: str, now_ns: int) -> GroupView | Refusal:
        """Cancel its orders and forget it."""
        group = self._find(account, group_id, now_ns)
        if group is None:
            return refusals.NOT_FOUND
        action = Action(self._floor, account)
        action.end_group(group)
        self._tell(action, group, GroupEvent.DELETED)
        del self._floor.groups[account][group_id]
        return self._view(group)

    def of(self, account: str) -> tuple[GroupView, ...]:
        """All groups of an account, oldest first, as of the last command."""
        return tuple(self._view(group) for group in self._floor.groups.get(account, {}).values())

    def _find(self, account: str, group_id: str, now_ns: int) -> Group | None:
        self._advance(now_ns)
        return self._floor.groups.get(account, {}).get(group_id)

    def _tell(self, action: Action, group: Group, event: GroupEvent) -> None:
        limit = group.limit if event in (GroupEvent.CREATED, GroupEvent.LIMIT_UPDATED) else None
        action.groups.append(GroupChanged(action.now_ns, group.account, group.group_id, event, limit))
        action.commit()

    def _view(self, group: Group) -> GroupView:
        orders = self._floor.accounts[group.account].orders
        return GroupView(
            group.group_id,
            group.limit,
            group.triggered,
            group.matched(self._floor.now_ns),
            tuple(orders[order_id] for order_id in group.orders),
        )
