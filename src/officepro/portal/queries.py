"""Queries of the portal's pages that no other package provides; under the system role."""

from datetime import date

from officepro.foundation.database import Connection, Row
from officepro.foundation.paging import Page

MOST_CHOICES = 500  # options of a select element


async def practices(db: Connection, chosen: str = "") -> list[Row]:
    """Return the practices to choose from, by practicepass: at most MOST_CHOICES, always including the chosen one."""
    return await db.fetch(
        """
        SELECT * FROM (SELECT practice_id, practicepass, name, time_zone FROM practice
                       ORDER BY practicepass = $1 DESC, lower(practicepass) LIMIT $2) AS choices
        ORDER BY lower(practicepass)
        """,
        chosen,
        MOST_CHOICES,
    )


async def partners(db: Connection) -> list[Row]:
    """Return the partners to choose from, by company: at most MOST_CHOICES."""
    return await db.fetch(
        "SELECT partner_id, company FROM partner ORDER BY lower(company), partner_id LIMIT $1", MOST_CHOICES
    )


_ORDERS = {"company": "lower(company)", "keys": "active_keys", "calls": "calls", "seen": "last_seen"}
PARTNER_ORDERS = frozenset(f"{sign}{name}" for name in _ORDERS for sign in ("", "-"))


async def partners_at_work(db: Connection, since: date, page: Page, order: str = "company") -> list[Row]:
    """Return one page of partners with practices, active keys, calls since a day and last use; `order` is one of
    PARTNER_ORDERS."""
    direction = "DESC NULLS LAST" if order.startswith("-") else "ASC NULLS FIRST"
    return await db.fetch(
        f"""
        SELECT * FROM (SELECT p.partner_id, p.company, p.contact, p.email, p.active,
               ARRAY(SELECT DISTINCT coalesce(practicepass, 'all') FROM api_key k LEFT JOIN practice USING (practice_id)
                     WHERE k.partner_id = p.partner_id AND k.revoked_at IS NULL ORDER BY 1) AS practices,
               (SELECT count(*) FROM api_key k WHERE k.partner_id = p.partner_id AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > now())) AS active_keys,
               coalesce(called.calls, 0) AS calls,
               (SELECT max(last_used_at) FROM api_key k WHERE k.partner_id = p.partner_id) AS last_seen
        FROM partner p LEFT JOIN (SELECT partner_id, sum(calls)::bigint AS calls FROM request_day
                                  WHERE day >= $1 AND practice_id >= 0 GROUP BY partner_id) AS called
                                 USING (partner_id)) AS listed
        ORDER BY {_ORDERS[order.removeprefix("-")]} {direction}, partner_id LIMIT $2 OFFSET $3
        """,
        since,
        page.limit,
        page.offset,
    )


async def practice(db: Connection, practice_id: int | None, practicepass: str) -> Row | None:
    """Return (practice_id, practicepass) by id or, if that is None, by name; None if not found."""
    return await db.fetchrow(
        """
        SELECT practice_id, practicepass FROM practice
        WHERE practice_id = $1 OR $1::bigint IS NULL AND lower(practicepass) = lower($2)
        """,
        practice_id,
        practicepass,
    )


async def subscriptions(db: Connection, subscription_id: int | None) -> list[Row]:
    """Return one subscription or all, failing first."""
    return await db.fetch(
        """
        SELECT s.subscription_id, partner.company, k.name, s.hook_url, s.scopes, s.status, s.failing_since,
               s.disabled_reason, practice.practicepass
        FROM webhook_subscription s JOIN api_key k USING (api_key_id) JOIN partner USING (partner_id)
             LEFT JOIN practice ON practice.practice_id = s.practice_id
        WHERE $1::bigint IS NULL OR s.subscription_id = $1
        ORDER BY s.failing_since NULLS LAST, s.subscription_id LIMIT $2
        """,
        subscription_id,
        MOST_CHOICES,
    )
