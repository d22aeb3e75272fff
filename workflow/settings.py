"""What the environment says (SANDENG_*): read by the edges, handed inward as values. Production refuses what only a demonstration may have."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workflow.clock import parse_moment
from workflow.errors import BadInput
from workflow.keys import parse_keys

SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 107
KEY_LENGTH = 32  # characters that production asks of each key
DEFAULT_KEYS = {"secret", "changeme", "sandeng", "sandeng-demo", "dev", "development"}


class Settings(BaseSettings):
    """The settings of one process. Addresses that were not given lead into the data directory."""

    model_config = SettingsConfigDict(env_prefix="SANDENG_", env_ignore_empty=True, extra="ignore")

    data_dir: Path = Path("var")
    database_url: str = ""
    owner_url: str = ""
    system_role: str = ""
    redis_url: str = ""
    env: Literal["demo", "test", "production"] = "demo"
    clock: str = ""
    secret_key: SecretStr | None = None
    data_key: SecretStr | None = None
    backup_key: SecretStr | None = None
    backup_dir: Path | None = None
    archive_dir: Path | None = None
    wal_dir: Path | None = None
    replication_url: str = ""
    backup_tool: Literal["", "basebackup", "external"] = ""
    cipher: Literal["sm4", "aes"] = "sm4"
    anchor_dir: Path | None = None
    anchor_webhook: str = ""
    workers: int = 1
    web_workers: int = 2
    proxies: int = Field(default=0, ge=0, le=3)
    public_url: str = ""
    zzd_key: str = ""
    zzd_secret: SecretStr | None = None
    zzd_client_id: str = ""
    zzd_tenant: str = ""
    zzd_api_url: str = "https://openplatform-pro.ding.zj.gov.cn"
    zzd_login_url: str = "https://login-pro.ding.zj.gov.cn"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_scope: str = "openid"
    oidc_title: str = "统一身份认证"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("anchor_webhook", "public_url", "zzd_api_url", "zzd_login_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError(value)
        return value.rstrip("/")

    @field_validator("clock")
    @classmethod
    def _readable_moment(cls, value: str) -> str:
        if value and not value.startswith("file:"):
            parse_moment(value)
        return value

    @model_validator(mode="after")
    def _addressed(self) -> Settings:
        """Fill in the embedded addresses and refuse what production must not have."""
        self.database_url = _with_driver(self.database_url) or f"sqlite:///{self.folder() / 'sandeng.db'}"
        self.owner_url = _with_driver(self.owner_url) or self.database_url
        self.redis_url = self.redis_url or f"unix://{self.queue_socket}"
        if problems := [problem for problem in self._half_set() if problem]:
            raise BadInput("；".join(problems))
        if self.production:
            problems = [problem for problem in self._unfit() if problem]
            if problems:
                raise BadInput("；".join(problems))
        return self

    def _half_set(self) -> list[str]:
        """What keeps an identity provider from working, as sentences; empty ones hold."""
        zzd = (self.zzd_key, self.zzd_secret, self.zzd_client_id, self.zzd_tenant)
        names = "SANDENG_ZZD_KEY、SANDENG_ZZD_SECRET、SANDENG_ZZD_CLIENT_ID、SANDENG_ZZD_TENANT"
        return [
            f"浙政钉登录须同时设置 {names}" if any(zzd) and not all(zzd) else "",
            "统一身份认证须同时设置 SANDENG_OIDC_ISSUER 和 SANDENG_OIDC_CLIENT_ID"
            if bool(self.oidc_issuer) != bool(self.oidc_client_id)
            else "",
        ]

    def _unfit(self) -> list[str]:
        """What a production process must not have, as sentences; empty ones hold."""
        return [
            _weak("SANDENG_SECRET_KEY", self.secret_key),
            _weak("SANDENG_DATA_KEY", self.data_key),
            "生产环境不得设置 SANDENG_CLOCK，时间以服务器时钟为准" if self.clock else "",
            "接入身份认证的，必须设置 SANDENG_PUBLIC_URL" if self.providers and not self.public_url else "",
            "生产环境的身份认证地址须以 https:// 开头" if not self._providers_by_https() else "",
            "生产环境的 SANDENG_REDIS_URL 须含口令，或用本机套接字（unix://）" if not self._queue_is_guarded() else "",
            "生产环境的 SANDENG_PUBLIC_URL 须以 https:// 开头" if self.public_url.startswith("http://") else "",
        ]

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url

    @property
    def production(self) -> bool:
        """Whether this is the real thing: no demonstration accounts, secure cookies only."""
        return self.env == "production"

    @property
    def providers(self) -> list[str]:
        """The identity providers that are set, by name."""
        return [*(["zzd"] if self.zzd_key else []), *(["oidc"] if self.oidc_issuer else [])]

    def _providers_by_https(self) -> bool:
        given = {"zzd": [self.zzd_api_url, self.zzd_login_url], "oidc": [self.oidc_issuer]}
        return all(address.startswith("https://") for name in self.providers for address in given[name])

    def _queue_is_guarded(self) -> bool:
        """Whether not everybody on the network can hand the workers a job: by a socket's rights, or by a password."""
        return self.redis_url.startswith("unix://") or bool(urlsplit(self.redis_url).password)

    @property
    def secure(self) -> bool:
        """Whether people reach the platform by https alone: production, and whatever has an https address."""
        return self.production or self.public_url.startswith("https://")

    @property
    def demo_accounts(self) -> bool:
        """Whether accounts with the published password may exist (never in production)."""
        return not self.production

    @property
    def embedded_queue(self) -> bool:
        """Whether the queue is the Valkey in the data directory, which the supervisor then runs."""
        return self.redis_url == f"unix://{self.queue_socket}"

    @cached_property
    def queue_socket(self) -> Path:
        """The embedded Valkey's socket: in the data directory, or under the temporary one where that path is too long."""
        path = self.data_dir / "queue" / "valkey.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"sandeng-{os.getuid()}-{name}" / "valkey.sock"

    @property
    def anchor_holders(self) -> list[Path]:
        """Where the heads of the audit chain are written: below the data directory, and in a second place outside it."""
        beside = self.data_dir.with_name(f"{self.data_dir.name}-anchors")
        return [self.data_dir / "anchors", (self.anchor_dir or beside).expanduser().resolve()]

    @cached_property
    def session_key(self) -> str:
        """The key that signs sessions and forms."""
        return self.secret_key.get_secret_value() if self.secret_key else kept_key(self.folder() / "secret.key")

    @cached_property
    def field_keys(self) -> dict[int, bytes]:
        """Key number → 32 bytes from which field encryption and the blind index take their keys; the highest seals."""
        if self.data_key:
            return parse_keys(self.data_key.get_secret_value(), "SANDENG_DATA_KEY")
        return parse_keys(kept_key(self.data_key_file), "data.key")

    @property
    def field_key(self) -> bytes:
        """The oldest of the field keys."""
        return self.field_keys[min(self.field_keys)]

    @property
    def data_key_file(self) -> Path:
        """Where the data keys lie that no variable names."""
        return self.folder() / "data.key"

    @cached_property
    def backup_keys(self) -> dict[int, bytes]:
        """Key number → 32 bytes that wrap the data keys of backups; never in the database, never in a backup.

        Raises BadInput in production where SANDENG_BACKUP_KEY is not set: a key that burns with the server opens no backup.
        """
        if self.backup_key:
            return parse_keys(self.backup_key.get_secret_value(), "SANDENG_BACKUP_KEY")
        if self.production:
            raise BadInput("生产环境备份前必须设置 SANDENG_BACKUP_KEY，并在服务器以外另存一份")
        return parse_keys(kept_key(self.folder() / "backup.key"), "backup.key")

    def backups(self) -> Path:
        """The folder of backups, made for its owner alone."""
        return _made(self.backup_dir or self.data_dir / "backups")

    def wal_folder(self) -> Path:
        """Where pg_receivewal keeps the log that it fetches from PostgreSQL."""
        return _made(self.wal_dir or self.data_dir / "wal")

    def archives(self) -> Path:
        """The folder of archives that are kept for good (办法18: 本地存储介质), made for its owner alone."""
        return _made(self.archive_dir or self.data_dir / "archive")

    def folder(self, *names: str) -> Path:
        """A folder of the data directory, made for its owner alone where it is missing."""
        path = self.data_dir.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def get_settings() -> Settings:
    """The settings as the environment has them now. Raises BadInput with one sentence per problem.

    Keys are read anew by each who asks, so that a change of keys reaches processes that live on.
    """
    said = tuple(sorted(item for item in os.environ.items() if item[0].upper().startswith("SANDENG_")))
    place = os.path.realpath(os.path.expanduser(os.environ.get("SANDENG_DATA_DIR") or "var"))
    try:
        return _proved(said, place).model_copy()
    except ValidationError as error:
        raise BadInput("；".join(_sentence(item) for item in error.errors())) from None


@lru_cache(maxsize=8)
def _proved(said: tuple[tuple[str, str], ...], place: str) -> Settings:
    """The settings that this environment and this place of the data directory give; proving them takes milliseconds."""
    return Settings()


load_settings = get_settings


def _made(path: Path) -> Path:
    path = path.expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def kept_key(path: Path) -> str:
    """The key in that file; made once, readable by its owner alone. Processes that start together get the same key."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32), encoding="ascii")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first; its key counts
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def _weak(name: str, key: SecretStr | None) -> str:
    text = key.get_secret_value() if key else ""
    if not text:
        return f"生产环境必须设置 {name}"
    if text.lower() in DEFAULT_KEYS or len(text) < KEY_LENGTH or len(set(text)) < 8:
        return f"生产环境的 {name} 过于简单，至少 {KEY_LENGTH} 个字符且不得为默认值"
    return ""


def _with_driver(url: str) -> str:
    """postgresql:// and postgres:// mean the one driver that is installed."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def _sentence(item: Any) -> str:
    names = "、".join(f"SANDENG_{str(name).upper()}" for name in item["loc"])
    expected = item.get("ctx", {}).get("expected", "")
    known = f"，可用：{expected.replace(' or ', '、')}" if expected else ""
    return f"环境变量 {names} 的值“{item['input']}”不正确{known}"
