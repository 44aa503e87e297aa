"""Every mistake the loader knows: found alone, at its line, with its path and its fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from candlefish.catalog.load import examine, load
from candlefish.catalog.problems import CatalogError, LocatedProblem
from candlefish.errors import Misconfigured
from tests.support.catalogs import FIXTURES

from .conftest import TODAY

Problems = Callable[..., list[LocatedProblem]]


class Case(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    path: str
    what: str
    fix: str


DEV, STAGING, PROD = (f"environments/{name}.yaml" for name in ("development", "staging", "production"))
# Custom metrics, whole but for their dimensions; and dimensions that are right.
JOBS = "namespace: A, requests: J, errors: F"
TOLD = "{Service: '{service}', Slot: '{slot}'}"
WEB = "  port: 3000\n  health_path: /api/health\n  host: example.org"
# Production's flag, and an issuer that signs people in.
FLAG, SIGNS = "production: true", "issuer: https://login.example.org, client: page"
PAIR = """slack: U00000001, approver: true}
product-lead: {github: example-product-lead, aws: [user/product-lead], slack: U00000002"""

SHAPE = [
    Case("unknown field", "services.yaml", "  owner: web", "  onwer: web\n  owner: web",
         "services.website.onwer", "no field 'onwer'", "did you mean 'owner'?"),
    Case("missing field", "services.yaml", "  owner: web\n", "",
         "services.website.owner", "missing", "add owner"),
    Case("name written twice", "services.yaml", "  owner: web", "  name: website\n  owner: web",
         "services.website.name", "already the key", "remove this line"),
    Case("text for a number", "services.yaml", "port: 8000", "port: eight",
         "services.backend-api.port", "'eight'", "whole number"),
    Case("quoted number", "services.yaml", "port: 8000", 'port: "8000"',
         "services.backend-api.port", "'8000'", "without quotes"),
    Case("port out of range", "services.yaml", "port: 8000", "port: 70000",
         "services.backend-api.port", "'70000'", "1 to 65535"),
    Case("fraction for a whole number", "services.yaml", "{min: 5, max: 25}", "{min: 5, max: 25.5}",
         "services.backend-api.replicas.max", "'25.5'", "whole number"),
    Case("text for a fraction", "policies.yaml", "alpha: 0.01", "alpha: low",
         "policies.default.alpha", "'low'", "number"),
    Case("list for a value", "services.yaml", "  owner: web", "  owner: [web]",
         "services.website.owner", "list", "write text"),
    Case("value for a list", "services.yaml", "depends_on: [backend-api]", "depends_on: backend-api",
         "services.api-gateway.depends_on", "single value", "after a -"),
    Case("value for a mapping", "services.yaml", "env:\n    LOG_LEVEL: info", "env: info",
         "services.backend-api.env", "single value", "mapping"),
    Case("value for a struct", DEV, "cost: {low: 200, high: 400}", "cost: 300",
         "environments.development.cost", "single value", "mapping with low, high"),
    Case("nothing for a value", "services.yaml", "  owner: web", "  owner:",
         "services.website.owner", "no value", "write text"),
    Case("nothing for a port", "services.yaml", "port: 8000", "port:",
         "services.backend-api.port", "no value", "write a TCP port"),
    Case("tag", "services.yaml", "port: 8000", "port: !Ref Port",
         "services.backend-api.port", "the tag !Ref", "without it"),
    Case("null for text", "services.yaml", "  owner: web", "  owner: ~",
         "services.website.owner", "'~'", "write text"),
    Case("yes for true", "people.yaml", "approver: true", "approver: yes",
         "people.platform-lead.approver", "'yes'", "true or false"),
    Case("unknown choice", "strategies.yaml", "kind: blue_green", "kind: blue-green",
         "strategies.blue-green.kind", "'blue-green'", "did you mean 'blue_green'?"),
    Case("bare number as duration", "strategies.yaml", "rollback_window: 1h", "rollback_window: 60",
         "strategies.canary.rollback_window", "'60'", "90s, 5m or 1h30m"),
    Case("bad duration", "strategies.yaml", "approve: {within: 8h}", "approve: {within: 8 hours}",
         "strategies.canary.steps[3].approve.within", "'8 hours'", "90s, 5m or 1h30m"),
    Case("bad name", "services.yaml", "storefront:", "Store_Front:",
         "services.Store_Front", "'Store_Front'", "like api-gateway"),
    Case("bad host", "services.yaml", "host: api.example.org", "host: https://api.example.org",
         "services.backend-api.host", "https://", "DNS name"),
    Case("bad path", "services.yaml", "health_path: /health", "health_path: health",
         "services.backend-api.health_path", "'health'", "absolute path"),
    Case("image with a tag", "services.yaml", "image: ghcr.io/example-org/website", "image: ghcr.io/example-org/website:v1",
         "services.website.image", "website:v1", "repository alone"),
    Case("image with a digest", "services.yaml", "image: ghcr.io/example-org/website", "image: ghcr.io/example-org/website@sha256:00",
         "services.website.image", "sha256", "repository alone"),
    Case("bad cpu", "services.yaml", "cpu: 500m, memory: 1Gi", "cpu: 500mCPU, memory: 1Gi",
         "services.backend-api.resources.cpu", "500mCPU", "250m or 1.5"),
    Case("bad memory", "services.yaml", "cpu: 500m, memory: 1Gi", "cpu: 500m, memory: 1GB",
         "services.backend-api.resources.memory", "1GB", "512Mi"),
    Case("bad variable", "services.yaml", "    LOG_LEVEL: info", "    log-level: info",
         "services.backend-api.env.log-level", "log-level", "LOG_LEVEL"),
    Case("runbook without https", "services.yaml", "https://github.com/example-org/runbooks/blob/main/website.md", "wiki/website",
         "services.website.runbook", "wiki/website", "https://"),
    Case("bad account", DEV, 'account: "111111111111"', 'account: "1111"',
         "environments.development.account", "'1111'", "12 digits"),
    Case("bad region text", DEV, "region: us-west-2", "region: Oregon",
         "environments.development.region", "'Oregon'", "us-west-2"),
    Case("bad network text", DEV, "10.10.0.0/16", "10.10.0.0",
         "environments.development.ingress_cidrs[0]", "'10.10.0.0'", "10.0.0.0/16"),
    Case("weight out of range", "strategies.yaml", "    - weight: 10\n", "    - weight: 101\n",
         "strategies.canary.steps[1].weight", "'101'", "0 to 100"),
    Case("two things in a step", "strategies.yaml", "    - weight: 10\n", "    - weight: 10\n      bake: {at_most: 1m}\n",
         "strategies.canary.steps[1]", "exactly one thing", "write one of"),
    Case("value that its model refuses", "policies.yaml", "alpha: 0.01", "alpha: 2",
         "policies.default.alpha", "between 0 and 1", "another value"),
    Case("repeated key", "services.yaml", "  port: 8000", "  port: 8000\n  port: 8001",
         "services.backend-api.port", "already on line", "keep one"),
    Case("repeated service", "services.yaml", "careers:\n  image", "website:\n  image",
         "services.website", "already on line", "keep one"),
    Case("merge key", "services.yaml", "  env:\n    LOG_LEVEL: info", "  env:\n    <<: {A: b}",
         "services.backend-api.env", "not a plain name", "name: value"),
    Case("bad day", "calendars.yaml", "    12-24:", "    24.12.:",
         "calendars.company.days.24.12.", "'24.12.'", "2026-12-25"),
]  # fmt: skip

MEANING = [
    Case("unknown dependency", "services.yaml", "depends_on: [backend-api]", "depends_on: [backend-ap]",
         "services.api-gateway.depends_on[0]", "no service 'backend-ap'", "did you mean 'backend-api'?"),
    Case("dependency cycle", "services.yaml", "    LOG_LEVEL: info\n", "    LOG_LEVEL: info\n  depends_on: [website]\n",
         "services.backend-api.depends_on[0]", "website -> api-gateway -> backend-api -> website", "remove one"),
    Case("service depends on itself", "services.yaml", "depends_on: [backend-api]", "depends_on: [backend-api, api-gateway]",
         "services.api-gateway.depends_on[1]", "api-gateway -> api-gateway", "remove one"),
    Case("dependency twice", "services.yaml", "depends_on: [backend-api]", "depends_on: [backend-api, backend-api]",
         "services.api-gateway.depends_on[1]", "there twice", "keep one"),
    Case("variable of ours", "services.yaml", "    LOG_LEVEL: info", "    CANDLEFISH_SLOT: purple",
         "services.backend-api.env.CANDLEFISH_SLOT", "set by the control plane", "call it something else"),
    Case("variable of ours everywhere", STAGING, "env:\n", "env:\n  CANDLEFISH_VERSION: '9'\n",
         "environments.staging.env.CANDLEFISH_VERSION", "set by the control plane", "call it something else"),
    Case("secret under an environment's variable", STAGING, "env:\n", "env:\n  DATABASE_URL: there\n",
         "environments.staging.env.DATABASE_URL", "has the variable DATABASE_URL already", "keep one"),
    Case("secret over a variable", "services.yaml", "    LOG_LEVEL: info", "    DATABASE_URL: there",
         "services.backend-api.secrets[0]", "'DATABASE_URL'", "keep one"),
    Case("unknown judge policy", "services.yaml", "  owner: web", "  judge: defualt\n  owner: web",
         "services.website.judge", "no judge policy 'defualt'", "did you mean 'default'?"),
    Case('unknown placeholder of a slot', "policies.yaml", "{window: 15s, settle: 15s}", '{slot: \'app="{servce}",slot="{slot}",s="{service}"\'}',
         "policies.default.sources.prometheus.slot", '{servce} is no placeholder', "did you mean 'service'?"),
    Case("count in a slot's pattern", "policies.yaml", "{window: 15s, settle: 15s}", '{slot: \'pod=~"{service}-{slot}-[a-z]{5}"\'}',
         "policies.default.sources.prometheus.slot", '{5} is no placeholder', 'write + or *'),
    Case('stray brace in a slot', "policies.yaml", "{window: 15s, settle: 15s}", '{slot: \'{slot="{slot}",service="{service}"\'}',
         "policies.default.sources.prometheus.slot", 'is no placeholder', '{namespace}, {service}, {slot}'),
    Case("a slot's matchers that are none", "policies.yaml", "{window: 15s, settle: 15s}", "{slot: 'the {slot} of {service}'}",
         "policies.default.sources.prometheus.slot", 'not a list of label matchers', 'as Prometheus does'),
    Case('a slot that is any slot', "policies.yaml", "{window: 15s, settle: 15s}", '{slot: \'service="{service}"\'}',
         "policies.default.sources.prometheus.slot", 'without {slot} all slots have the same series', 'add a matcher'),
    Case('selector for a metric', "policies.yaml", "{window: 15s, settle: 15s}", '{requests: \'http_requests_total{job="x"}\'}',
         "policies.default.sources.prometheus.requests", 'not the name of a metric', 'goes into slot'),
    Case('label that is none', "policies.yaml", "{window: 15s, settle: 15s}", '{code: status-code}',
         "policies.default.sources.prometheus.code", 'not the name of a label', 'like status'),
    Case('failures that are no pattern', "policies.yaml", "{window: 15s, settle: 15s}", "{failed: '5(('}",
         "policies.default.sources.prometheus.failed", 'not a regular expression', '5xx|error'),
    Case('counter without its name', "policies.yaml", "{window: 15s, settle: 15s}", '{counter: orders_total}',
         "policies.default.sources.prometheus.counter", "all counters are 'orders_total'", '{counter}_total'),
    Case('unknown preset', "policies.yaml", "{window: 15s, settle: 15s}", '{preset: isto}',
         "policies.default.sources.prometheus.preset", "'isto'", "did you mean 'istio'?"),
    Case('no process label', "policies.yaml", "{window: 15s, settle: 15s}", '{process: []}',
         "policies.default.sources.prometheus.process", 'nothing tells one process', '[instance, pod]'),
    Case("unknown source", "policies.yaml", "    prometheus: {window", "    promethues: {window",
         "policies.default.sources.promethues", "no source of metrics 'promethues'", "did you mean 'prometheus'?"),
    Case("preset of CloudWatch", "policies.yaml", "    prometheus: {window: 15s", "    cloudwatch: {preset: istio, window: 60s",
         "policies.default.sources.cloudwatch.preset", "what the load balancer reports", "under prometheus"),
    Case("custom metrics under cloudwatch", "policies.yaml", "    prometheus: {window: 15s", "    cloudwatch: {namespace: Acme, window: 60s",
         "policies.default.sources.cloudwatch.namespace", "cloudwatch knows none", "under custom_metrics"),
    *(
        Case(what, "policies.yaml", "    prometheus: {window: 15s, settle: 15s}", f"    custom_metrics: {{{text}}}",
             f"policies.default.sources.custom_metrics.{at}", found, fix)
        for what, text, at, found, fix in (
            ("custom metrics without failures", f"namespace: A, requests: Jobs, dimensions: {TOLD}", "errors", "missing", "like JobsFailed"),
            ("custom metrics without dimensions", "namespace: A, requests: Jobs, errors: F", "dimensions", "missing", "Slot: '{slot}'"),
            ("custom metrics of both versions", "namespace: A, requests: J, errors: F, dimensions: {S: '{service}'}", "dimensions", "both versions report", "CANDLEFISH_SLOT"),
            ("custom metrics of all services", "namespace: A, requests: J, errors: F, dimensions: {S: '{slot}'}", "dimensions", "under the same names", "write {service}"),
            ("placeholder of a dimension", f"{JOBS}, dimensions: {{S: '{{service}}', V: '{{verison}}', T: '{{slot}}'}}", "dimensions.V", "{verison} is no placeholder", "did you mean 'version'?"),
            ("a version in the namespace", f"namespace: 'A/{{slot}}', requests: J, errors: F, dimensions: {TOLD}", "namespace", "{slot} is no placeholder", "one of environment, service"),
            ("no namespace", f"namespace: 'a;b', requests: J, errors: F, dimensions: {TOLD}", "namespace", "is no namespace", "use letters"),
            ("no metric", f"namespace: A, requests: ':J', errors: F, dimensions: {TOLD}", "requests", "is no name of a metric", "console"),
            ("preset of custom metrics", f"preset: worker, {JOBS}, dimensions: {TOLD}", "preset", "names of Prometheus", "take it out"),
            ("matchers of custom metrics", f"slot: 'a=\"{{slot}}\"', {JOBS}, dimensions: {TOLD}", "slot", "of Prometheus", "under prometheus"),
            ("half a minute", f"window: 30s, {JOBS}, dimensions: {TOLD}", "window", "30 seconds are no minutes", "write 1m"),
            ("one counter for all", f"counter: orders, {JOBS}, dimensions: {TOLD}", "counter", "all counters are 'orders'", "{counter}"),
        )
    ),
    Case("unknown policy of a step", "strategies.yaml", "judge: {at_most: 30m}", "judge: {at_most: 30m, policy: strict}",
         "strategies.canary.steps[2].judge.policy", "'strict'", "default"),
    Case("unknown strategy", DEV, "strategy: rolling", "strategy: roling",
         "environments.development.strategy", "no strategy 'roling'", "did you mean 'rolling'?"),
    Case("override of an unknown service", DEV, "  backend-api:\n    env", "  backend:\n    env",
         "environments.development.overrides.backend", "no service 'backend'", "did you mean 'backend-api'?"),
    Case("override with an unknown policy", DEV, "    env: {LOG_LEVEL: debug}", "    judge: none",
         "environments.development.overrides.backend-api.judge", "'none'", "default"),
    Case("fewer replicas at most than at least", "services.yaml", "{min: 5, max: 25}", "{min: 5, max: 4}",
         "services.backend-api.replicas", "min 5 is above max 4", "raise max"),
    Case("cap upside down", DEV, "replicas: {min: 1, max: 3}", "replicas: {min: 4, max: 3}",
         "environments.development.replicas", "min 4 is above max 3", "raise max"),
    Case("override upside down", DEV, "    env: {LOG_LEVEL: debug}", "    replicas: {min: 2, max: 1}",
         "environments.development.overrides.backend-api.replicas", "min 2", "raise max"),
    Case("request above its limit", "services.yaml", 'cpu: 500m, memory: 1Gi, cpu_limit: "2"', 'cpu: 500m, memory: 1Gi, cpu_limit: 400m',
         "services.backend-api.resources.cpu_limit", "500m is above the limit 400m", "at least 500m"),
    Case("memory request above its limit", "services.yaml", "memory: 1Gi, cpu_limit: \"2\", memory_limit: 2Gi", "memory: 3000Mi, cpu_limit: \"2\", memory_limit: 2Gi",
         "services.backend-api.resources.memory_limit", "3000Mi is above the limit 2Gi", "at least"),
    Case("override's request above its limit", DEV, "    env: {LOG_LEVEL: debug}", "    resources: {cpu: 2, memory: 1Gi, cpu_limit: 1, memory_limit: 1Gi}",
         "environments.development.overrides.backend-api.resources.cpu_limit", "2 is above", "at least 2"),
    Case("request of nothing", "services.yaml", "cpu: 500m, memory: 1Gi", "cpu: 0, memory: 1Gi",
         "services.backend-api.resources.cpu", "no request", "100m"),
    Case("cost upside down", DEV, "cost: {low: 200, high: 400}", "cost: {low: 400, high: 200}",
         "environments.development.cost", "400 is above the high end 200", "swap"),
    Case("weights do not grow", "strategies.yaml", "    - weight: 50\n", "    - weight: 10\n",
         "strategies.canary.steps[4].weight", "10 does not follow 10", "larger"),
    Case("weights end early", "strategies.yaml", "    - weight: 100\n    - bake: {at_most: 15m}\n", "    - bake: {at_most: 15m}\n",
         "strategies.canary.steps", "last weight is 50", "weight: 100"),
    Case("no weights at all", "strategies.yaml", "    - weight: 100\n    # What failed its smoke tests never came this far; a quiet staging asks nobody.\n    - bake: {at_most: 10m, unclear: go_on}\n", "    - bake: {at_most: 10m}\n",
         "strategies.blue-green.steps", "no step sets a weight", "weight: 100"),
    Case("canary in one jump", "strategies.yaml", "    - weight: 10\n    - judge: {at_most: 30m}\n    - approve: {within: 8h}\n    - weight: 50\n    - judge: {at_most: 30m}\n", "    - approve: {within: 8h}\n",
         "strategies.canary.steps", "a share of the traffic", "weight: 10"),
    Case("blue-green in shares", "strategies.yaml", "    - weight: 100\n    # What failed its smoke tests never came this far; a quiet staging asks nobody.\n    - bake: {at_most: 10m, unclear: go_on}", "    - weight: 30\n    - weight: 100\n    - bake: {at_most: 10m}",
         "strategies.blue-green.steps[1].weight", "no weight 30", "0 or 100"),
    Case("judge at weight 0", "strategies.yaml", "    - weight: 10\n    - judge: {at_most: 30m}\n", "    - judge: {at_most: 30m}\n    - weight: 10\n",
         "strategies.canary.steps[1].judge", "at weight 0", "after a weight"),
    Case("judge at weight 100", "strategies.yaml", "    - bake: {at_most: 15m}\n", "    - judge: {at_most: 15m}\n",
         "strategies.canary.steps[7].judge", "at weight 100", "1 to 99"),
    Case("smoke after users", "strategies.yaml", "    - weight: 10\n", "    - weight: 10\n    - smoke: {within: 2m}\n",
         "strategies.canary.steps[2].smoke", "after weight 10", "before the first weight"),
    Case("rolling with weights", "strategies.yaml", "    - bake: {at_most: 1m, unclear: go_on}\n", "    - weight: 100\n",
         "strategies.rolling.steps[0].weight", "updates in place", "kind: canary"),
    Case("rolling with a rollback window", "strategies.yaml", "    - bake: {at_most: 1m, unclear: go_on}\n", "    - bake: {at_most: 1m}\n  rollback_window: 1m\n",
         "strategies.rolling.rollback_window", "no previous version", "blue_green"),
    Case("approval longer than a year", "strategies.yaml", "approve: {within: 8h}", "approve: {within: 366d}",
         "strategies.canary.steps[3].approve.within", "366d outlives", "365d or less"),
    Case("release longer than a year", "strategies.yaml", "    - bake: {at_most: 15m}\n", "    - bake: {at_most: 364d23h}\n",
         "strategies.canary.steps", "all steps together", "shorten"),
    Case("region that does not exist", DEV, "region: us-west-2", "region: us-wset-2",
         "environments.development.region", "'us-wset-2'", "did you mean 'us-west-2'?"),
    Case("recovery in the same region", DEV, "recovery_region: us-east-1", "recovery_region: us-west-2",
         "environments.development.recovery_region", "us-west-2", "another region"),
    Case("unknown time zone", DEV, "timezone: America/Los_Angeles\ningress", "timezone: America/Los_Angles\ningress",
         "environments.development.timezone", "America/Los_Angles", "did you mean 'America/Los_Angeles'?"),
    Case("network with host bits", DEV, "10.10.0.0/16", "10.10.0.1/16",
         "environments.development.ingress_cidrs[0]", "10.10.0.1/16", "10.0.0.0/16"),
    Case("two environments in one place", STAGING, 'account: "222222222222"\nregion: us-west-2\nrecovery_region: us-east-1\ncluster: example-staging\nnamespace: example-staging', 'account: "333333333333"\nregion: us-west-2\nrecovery_region: us-east-1\ncluster: example-production\nnamespace: example-prod',
         "environments.staging.namespace", "production already has namespace", "its own"),
    Case("one host for two services", "services.yaml", "host: gateway.example.org", "host: api.example.org",
         "services.api-gateway.host", "already belongs to backend-api", "a host of its own"),
    Case("one host by an override", DEV, "    env: {LOG_LEVEL: debug}", "    host: dev.example.org",
         "environments.development.overrides.backend-api.host", "already belongs to website in development", "a host of its own"),
    Case("host longer than a rule takes", "services.yaml", "host: gateway.example.org", "host: " + "long." * 24 + "example.org",
         "services.api-gateway.host", "a load balancer takes 128", "shorten"),
    Case("production by another name", PROD, "production: true\n", "",
         "environments.production.production", "sounds like production", "production: true"),
    Case("production that sleeps", PROD, "cost: {low: 800, high: 1200}", "cost: {low: 800, high: 1200}\nschedule: {timezone: UTC, awake: [daily 07:00-20:00]}",
         "environments.production.schedule", "never sleeps", "remove"),
    Case("production without approval", PROD, "strategy: canary", "strategy: blue-green",
         "environments.production.strategy", "without a second person", "four_eyes"),
    Case("production with two eyes", "strategies.yaml", "approve: {within: 8h}", "approve: {within: 8h, four_eyes: false}",
         "environments.production.strategy", "without a second person", "four_eyes"),
    Case("a console that nobody may look at", PROD, FLAG, f"{FLAG}\nconsole: {{{SIGNS}}}",
         "environments.production.console", "nobody has a role", 'reader: ["*"]'),
    Case("a console where everybody acts", PROD, FLAG, f'{FLAG}\nconsole: {{{SIGNS}, reader: ["*"], approver: ["*"]}}',
         "environments.production.console.approver", "would be approver", "name the groups"),
    Case("a console that asks for no login", PROD, FLAG, f"{FLAG}\nconsole: {{{SIGNS}, reader: [a], scopes: [email]}}",
         "environments.production.console.scopes", "openid is not asked for", "add openid"),
    Case("a console where nobody is known", PROD, FLAG, f"{FLAG}\nconsole: {{{SIGNS}, operator: [a]}}",
         "environments.production.console", "nobody in people.yaml has an oidc name", "write oidc"),
    Case("an issuer without TLS", PROD, FLAG, f"{FLAG}\nconsole: {{{SIGNS.replace('https', 'http')}, reader: [a]}}",
         "environments.production.console.issuer", "http://login", "https:// address"),
    Case("a page's address with a path", PROD, FLAG,
         f"{FLAG}\nconsole: {{{SIGNS}, reader: [a], address: https://a.example.org/x}}",
         "environments.production.console.address", "a.example.org/x", "write an address"),
    Case("one login for two people", "people.yaml", PAIR, PAIR.replace("slack: U00000002", "oidc: u-1, slack: U00000002").replace(
         "slack: U00000001", "oidc: u-1, slack: U00000001"),
         "people.product-lead.oidc", "platform-lead goes by 'u-1' too", "an identity of their own"),
    Case("one approver alone", "people.yaml", "slack: U00000002, approver: true", "slack: U00000002",
         "people", "there are 1", "approver: true"),
    Case("two people, one identity", "people.yaml", "github: example-developer", "github: example-product-lead",
         "people.developer.github", "product-lead goes by", "identity of their own"),
    Case("schedule in no time zone", STAGING, "schedule:\n  timezone: America/Los_Angeles", "schedule:\n  timezone: Pacific",
         "environments.staging.schedule.timezone", "'Pacific'", ""),
    Case("hours that are none", STAGING, "Mon-Fri 06:00-22:00", "Mon-Fri 6-22",
         "environments.staging.schedule.awake[0]", "no hours", "Mon-Fri 07:00-20:00"),
    Case("schedule that never wakes", STAGING, "Mon-Fri 06:00-22:00", "holidays 06:00-22:00",
         "environments.staging.schedule.awake", "never wakes", "Mon-Fri"),
    Case("unknown calendar", STAGING, "holidays: [company]", "holidays: [compny]",
         "environments.staging.schedule.holidays[0]", "no calendar 'compny'", "did you mean 'company'?"),
    Case("rollback window longer than a day awake", STAGING, "Mon-Fri 06:00-22:00", "Mon-Fri 06:00-06:20",
         "environments.staging.schedule.awake", "asleep again after 20m", "rollback_window"),
    Case("day that does not exist", "calendars.yaml", "    12-24:", "    02-30:",
         "calendars.company.days.02-30", "day", "2026-12-24"),
    Case("unknown country", "calendars.yaml", "country: US", "country: UX",
         "calendars.company.country", "no country 'UX'", "did you mean"),
    Case("unknown subdivision", "calendars.yaml", "subdivision: CA", "subdivision: CALI",
         "calendars.company.subdivision", "no subdivision 'CALI'", ""),
    Case("calendar file that is not there", "calendars.yaml", "  subdivision: CA", "  ical: off.ics",
         "calendars.company.ical", "No such file", "beside calendars.yaml"),
    Case("computed field written", "calendars.yaml", "  subdivision: CA", "  known_until: 2030-01-01",
         "calendars.company.known_until", "computed", "remove"),
    Case("freeze that is no time", PROD, "start: 2026-12-23T00:00", "start: Christmas",
         "environments.production.freezes[0].start", "Christmas", "2026-12-24T18:00"),
    Case("freeze with an offset", PROD, "start: 2026-12-23T00:00", "start: 2026-12-23T00:00-08:00",
         "environments.production.freezes[0].start", "offset", "2026-12-24T18:00"),
    Case("freeze backwards", PROD, "end: 2027-01-02T00:00", "end: 2026-01-02T00:00",
         "environments.production.freezes[0].end", "not after", "later end"),
    Case("database twice", PROD, "databases:\n", "databases:\n  - {name: main, identifier: other}\n",
         "environments.production.databases[1].name", "'main' is there twice", "keep one"),
    Case("replica where the primary is", PROD, "region: us-east-1}", "region: us-west-2}",
         "environments.production.databases[0].replica.region", "that it is to survive", "us-east-1"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*SHAPE, *MEANING], ids=lambda case: case.name)
def test_each_mistake_is_found_alone_at_its_line_with_its_fix(
    case: Case, problems: Problems, folder: Path
) -> None:
    found = problems(case.file, case.old, case.new)
    assert [problem.path for problem in found] == [case.path], [str(problem) for problem in found]
    (problem,) = found
    assert case.what in problem.what
    assert case.fix in problem.fix
    assert problem.fix
    if problem.line and not case.path.endswith("]") and "plain name" not in case.what:
        # The line has the field's own key, or its owner's where the field is what is missing.
        line = Path(problem.file).read_text(encoding="utf-8").splitlines()[problem.line - 1]
        keys = [part for part in case.path.replace("[", ".").split(".") if not part.endswith("]")]
        assert any(key in line for key in keys[-2:])


def test_a_line_is_the_very_line_of_the_mistake(problems: Problems, folder: Path) -> None:
    found = problems("services.yaml", WEB, WEB.replace("3000", "0"))
    text = (folder / "services.yaml").read_text(encoding="utf-8").splitlines()
    assert [text[problem.line - 1].strip() for problem in found] == ["port: 0"]


def test_all_mistakes_come_at_once_and_none_hides_another(folder: Path, problems: Problems) -> None:
    problems("services.yaml", WEB, WEB.replace("3000", "none") + "\n  depends_on: [nothing]\n  x: 1")
    problems("services.yaml", "  depends_on: [api-gateway]\n  smoke_paths", "  smoke_paths")
    problems("strategies.yaml", "    - weight: 10\n", "    - weigth: 10\n")
    found = problems(PROD, "strategy: canary", "strategy: canray")
    assert {problem.path for problem in found} == {
        "services.website.port",
        "services.website.depends_on[0]",
        "services.website.x",
        "strategies.canary.steps[1].weigth",
        "strategies.canary.steps[1]",
        "environments.production.strategy",
    }


def test_a_broken_part_is_not_reported_again_by_those_who_refer_to_it(
    folder: Path, problems: Problems
) -> None:
    found = problems("policies.yaml", "default:\n", "default: 3\nother:\n")
    assert [problem.path for problem in found] == ["policies.default"]


def test_the_error_lists_everything_and_is_the_operators_to_mend(folder: Path, problems: Problems) -> None:
    problems("services.yaml", "port: 8000", "port: 0")
    problems(DEV, "strategy: rolling", "strategy: nothing")
    with pytest.raises(CatalogError) as caught:
        load(folder, TODAY)
    assert isinstance(caught.value, Misconfigured)
    assert len(caught.value.problems) == 2
    assert "2 problems; nothing was compiled" in str(caught.value)
    for problem in caught.value.problems:
        assert f"{problem.file}:{problem.line}: {problem.path}: {problem.what}; {problem.fix}" in str(
            caught.value
        )


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"services: [", "not YAML"),
        (b"a: b: c", "not YAML"),
        (b"a:\n\t- b", "not YAML"),
        (b"a: 1\n---\nb: 2\n", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a: \x00b", "not YAML"),
        (b"", "empty"),
        (b"# nothing but a comment\n", "empty"),
        (b"[1, 2]", "a list"),
        (b"? [a]\n: b\n", "not a plain name"),
    ],
)
def test_a_file_that_is_no_mapping_is_one_problem(folder: Path, data: bytes, what: str) -> None:
    (folder / "services.yaml").write_bytes(data)
    found = [p for p in examine(folder, TODAY)[1] if p.path == "services"]
    assert len(found) == 1
    assert what in found[0].what


def test_an_environment_file_that_is_broken_stands_alone(folder: Path) -> None:
    (folder / "environments" / "staging.yaml").write_text("a: [")
    assert [problem.path for problem in examine(folder, TODAY)[1]] == ["environments.staging"]


def test_files_that_nothing_reads_are_named(folder: Path) -> None:
    (folder / "service.yaml").write_text("{}")
    (folder / "environments" / "old.yml").write_text("{}")
    found = examine(folder, TODAY)[1]
    assert {(Path(p.file).name, p.fix) for p in found} == {
        ("service.yaml", "did you mean 'services.yaml'?"),
        ("old.yml", "rename it to old.yaml"),
    }


def test_an_environments_file_name_is_its_name(folder: Path) -> None:
    (folder / "environments" / "staging.yaml").rename(folder / "environments" / "Staging 2.yaml")
    assert [problem.path for problem in examine(folder, TODAY)[1]] == ["environments.Staging 2"]


@pytest.mark.parametrize("name", ["services.yaml", "strategies.yaml", "policies.yaml", "environments"])
def test_a_missing_part_is_one_clear_problem(folder: Path, name: str) -> None:
    part = folder / name
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    found = [problem for problem in examine(folder, TODAY)[1] if "missing" in problem.what]
    assert [Path(problem.file).name for problem in found] == [name]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such folder"):
        load(tmp_path / "nowhere", TODAY)


def test_more_services_than_a_load_balancer_has_rules(folder: Path, problems: Problems) -> None:
    one = (folder / "services.yaml").read_text(encoding="utf-8")
    start = one.index("careers:")
    block = one[start : one.index("\napi-gateway:")]
    more = "\n".join(block.replace("careers", f"careers{n}") for n in range(45))
    found = problems("services.yaml", "careers:", f"{more}\ncareers:")
    assert [(problem.path, "102 listener rules" in problem.what) for problem in found] == [("services", True)]


def test_the_shipped_catalog_is_sound() -> None:
    assert examine(FIXTURES, TODAY)[1] == []
