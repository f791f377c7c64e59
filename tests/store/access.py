"""What the store promises: who may do what, and who did."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.access import Scope, UserRole
from experiments.errors import Conflict, NotFound, StoreError
from experiments.store import Store


class AccessContract:
    """Users, links, keys, the trail and the secret (SEMANTICS §1, §8)."""

    def test_users(self, store: Store) -> None:
        """A user is added once, gets a password, and can be signed out everywhere."""
        made = store.add_user("ann@example.com", role=UserRole.EDITOR)
        assert (made.role, made.password, made.sessions) == (UserRole.EDITOR, None, 0)
        with pytest.raises(Conflict):
            store.add_user("ann@example.com", role=UserRole.VIEWER)
        store.set_password("ann@example.com", "$argon2id$...")
        store.end_sessions("ann@example.com")
        ann = store.user("ann@example.com")
        assert (ann.password, ann.sessions) == ("$argon2id$...", 2)
        assert store.users() == [ann]
        assert "argon2" not in repr(ann)
        with pytest.raises(NotFound):
            store.user("eve@example.com")

    def test_links_work_once(self, store: Store) -> None:
        """A link signs its user in once, and not after its time."""
        store.add_user("ann@example.com", role=UserRole.ADMIN)
        store.create_login_link("ann@example.com", b"1" * 32, expires=100)
        store.create_login_link("ann@example.com", b"2" * 32, expires=100)
        assert store.redeem_link(b"1" * 32, 99).email == "ann@example.com"
        for token, now in ((b"1", 99), (b"2", 100), (b"3", 1)):
            with pytest.raises(NotFound):
                store.redeem_link(token * 32, now)

    def test_a_new_password_ends_open_links(self, store: Store) -> None:
        """Whoever else holds a link cannot take the account over with it; other people's links stay."""
        for name, token in (("ann", b"1"), ("ben", b"2")):
            store.add_user(f"{name}@example.com", role=UserRole.ADMIN)
            store.create_login_link(f"{name}@example.com", token * 32, expires=100)
        store.set_password("ann@example.com", "hash")
        with pytest.raises(NotFound):
            store.redeem_link(b"1" * 32, 99)
        assert store.redeem_link(b"2" * 32, 99).email == "ben@example.com"

    def test_keys(self, store: Store, clock: Any) -> None:
        """A key is known by its hash, with its origins, until it is revoked."""
        store.add_key("site", scope=Scope.SITE, sha256=b"k" * 32, origins=["https://example.com"])
        with pytest.raises(Conflict):
            store.add_key("site", scope=Scope.ADMIN, sha256=b"l" * 32)
        with pytest.raises(Conflict):
            store.add_key("other", scope=Scope.ADMIN, sha256=b"k" * 32)
        store.revoke_key("site")
        when = clock()
        clock.sleep(1)
        store.revoke_key("site")
        (key,) = store.keys()
        assert (key.sha256, key.origins, key.revoked) == ((b"k" * 32).hex(), ("https://example.com",), when)
        with pytest.raises(NotFound):
            store.revoke_key("other")

    def test_audit(self, store: Store, clock: Any) -> None:
        """Entries come back newest first, whole."""
        store.audit("ann", "sign_in", "ann@example.com", {"ip": "::1"})
        store.audit("ben", "export", "spring", {})
        newest, older = store.audit_log(2)
        assert (newest.by, older.action, older.detail, older.time) == ("ben", "sign_in", {"ip": "::1"}, clock())

    def test_secret(self, store: Store) -> None:
        """The first host's secret is the store's; another is refused."""
        store.claim_secret("f" * 64)
        store.claim_secret("f" * 64)
        with pytest.raises(StoreError, match="belongs to the secret"):
            store.claim_secret("0" * 64)
