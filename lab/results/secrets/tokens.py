"""Tokens that their form alone identifies, named as in the rules of gitleaks.

A token that begins with another letter than its prefix is none: ``START``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

from lab.results.secrets.pattern import A, I, SecretPattern

START: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
REST: Final = "[A-Za-z0-9_-]"


def _token(
    name: str, what: str, pattern: str, *prefixes: str, probe: bytes = b"", anywhere: tuple[str, ...] = ()
) -> SecretPattern:
    quick = re.compile(probe) if probe else None
    return SecretPattern(
        name, what, re.compile(START + pattern, A), words=anywhere, prefixes=prefixes, probe=quick, sure=True
    )


def encoded(text: str) -> tuple[str, ...]:
    """Return the base64 of a text within a longer one, for each of the three offsets in a group."""
    found = []
    for before in range(3):
        data = b"\0" * before + text.encode()
        found.append(b64encode(data)[-(-before * 8 // 6) : len(data) * 8 // 6].decode())
    return tuple(found)


def _begins(kind: str) -> str:
    """Return the base64 of a PEM file's beginning, without the characters that the rest of the line decides."""
    text = f"-----BEGIN {kind}".encode()
    return b64encode(text)[: len(text) * 8 // 6].decode().removeprefix("LS0tLS1CRUdJTi")


PUBLIC_ENCODED: Final = "|".join(
    map(_begins, ("CERT", "PUBLIC", "PGP PUBLIC", "PGP SIG", "PGP MES", "RSA PUBLIC", "X509", "TRUSTED"))
)
GITHUB_ENCODED: Final = encoded("ghp_")

TOKENS: Final = (
    _token("github-token", "a token of GitHub", r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    _token("gitlab-token", "a token of GitLab", rf"(?:gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|soat|agent|oas|ffct|wt)-{REST}{{20,}}|GR1348941{REST}{{20,}})",
           "glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glsoat-", "glagent-", "gloas-", "glffct-", "glwt-", anywhere=("gr1348941",)),
    _token("aws-key", "an access key of AWS", r"(?:(?:AKIA|ASIA|ABIA|ACCA|AROA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9])|ABSK[A-Za-z0-9+/]{100,}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{20,}={0,2})",
           "akia", "asia", "abia", "acca", "aroa", "a3t", "bedrock-api-key-", anywhere=("absk",)),
    _token("aws-mws-token", "a token of Amazon's marketplace", r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "amzn.mws."),
    _token("slack-token", "a token of Slack", r"(?:xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{20,})",
           "xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"),
    _token("slack-webhook", "a webhook of Slack", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,}", "hooks.slack.com/"),
    _token("discord-webhook", "a webhook of Discord", rf"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{{15,22}}/{REST}{{50,}}", "discord.com/", "discordapp.com/"),
    _token("teams-webhook", "a webhook of Microsoft Teams", r"webhook\.office\.com/webhookb2/[A-Za-z0-9@-]{36,}/IncomingWebhook/[A-Za-z0-9/-]{32,}", "webhook.office.com/"),
    _token("google-key", "a key of Google", rf"(?:AIza{REST}{{35}}|GOCSPX-{REST}{{28}}|ya29\.{REST}{{20,}}|1//0[a-z]{REST}{{40,}})", "gocspx-", "ya29.", probe=rb"1//0[a-z][a-z0-9_-]{40}", anywhere=("aiza",)),
    _token("azure-key", "a key of an Azure account", r"(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{43,86}={1,2}", "accountkey=", "sharedaccesskey="),
    _token("azure-key", "a password of Azure's container registry", r"[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9]{6}(?![A-Za-z0-9+/=])", probe=rb"acr[a-z0-9]{6}"),
    _token("azure-secret", "a secret of Microsoft Entra", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}", probe=rb"q~[a-z0-9_~.-]{31}"),
    _token("telegram-token", "a token of a Telegram bot", rf"(?:bot)?\d{{8,10}}:AA{REST}{{33}}(?!{REST})", probe=rb":aa[a-z0-9_-]{33}"),
    _token("pypi-token", "a token of PyPI", rf"pypi-AgE(?:I|N){REST}{{40,}}", "pypi-"),
    _token("npm-token", "a token of npm", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("rubygems-token", "a token of RubyGems", r"rubygems_[a-f0-9]{48}", "rubygems_"),
    _token("crates-token", "a token of crates.io", r"cio[A-Za-z0-9]{32}(?![A-Za-z0-9])", "cio"),
    _token("clojars-token", "a token of Clojars", r"CLOJARS_[a-z0-9]{60}", "clojars_"),
    _token("docker-token", "a token of Docker Hub", rf"dckr_(?:pat|oat)_{REST}{{20,}}", "dckr_pat_", "dckr_oat_"),
    _token("stripe-key", "a key of Stripe", r"(?:(?:sk|rk)_(?:test|live|prod)_[A-Za-z0-9]{10,99}|whsec_[A-Za-z0-9+/]{24,})", "sk_", "rk_", "whsec_"),
    _token("sendgrid-key", "a key of SendGrid", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", "sg."),
    _token("sendinblue-key", "a key of Brevo", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}", "xkeysib-"),
    _token("mailgun-key", "a key of Mailgun", r"key-[a-f0-9]{32}(?![A-Za-z0-9])", "key-"),
    _token("mailchimp-key", "a key of Mailchimp", r"[a-f0-9]{32}-us[1-9]\d?(?![A-Za-z0-9])", *(f"-us{number}" for number in range(1, 100))),
    _token("twilio-key", "a key of Twilio", r"SK[0-9a-f]{32}(?![0-9a-zA-Z])", *(f"sk{digit}" for digit in "0123456789abcdef")),
    _token("digitalocean-token", "a token of DigitalOcean", r"do[opr]_v1_[a-f0-9]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    _token("vault-token", "a token of Vault", rf"hv[bsr]\.{REST}{{24,}}", "hvs.", "hvb.", "hvr."),
    _token("openai-key", "a key of OpenAI or Anthropic", rf"sk-(?:(?:proj|svcacct|admin|ant-[a-z]+\d\d|or-v1|lf)-{REST}{{20,}}|[A-Za-z0-9]{{20}}T3BlbkFJ[A-Za-z0-9]{{20}}|[A-Za-z0-9]{{48}})", "sk-"),
    _token("huggingface-token", "a token of Hugging Face", r"(?:hf|api_org)_[A-Za-z0-9]{34}(?![A-Za-z0-9])", "hf_", "api_org_"),
    _token("age-key", "a key of age", r"AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58,}", "age-secret-key-"),
    _token("doppler-token", "a token of Doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", "dp."),
    _token("linear-key", "a key of Linear", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}", "lin_api_", "lin_oauth_"),
    _token("atlassian-token", "a token of Atlassian", r"(?:ATATT3|ATCTT3|ATBB|ATSTT3)[A-Za-z0-9_=-]{24,}", anywhere=("atatt3", "atctt3", "atbb", "atstt3")),
    _token("bitbucket-token", "a token of Bitbucket Data Center", r"BBDC-[A-Za-z0-9+/@=]{40,}", "bbdc-"),
    _token("grafana-token", "a token of Grafana", r"(?:gl(?:sa|c)_[A-Za-z0-9+/_=-]{32,}|eyJrIjoi[A-Za-z0-9]{70,400}={0,3})", "glsa_", "glc_", "eyjrijoi"),
    _token("swarm-token", "a token or key of Docker Swarm", r"SWM(?:TKN-1-[a-z0-9]{40,}-[a-z0-9]{20,}|KEY-1-[A-Za-z0-9+/]{40,})", "swmtkn-1-", "swmkey-1-"),
    _token("k3s-token", "a token of a k3s server", r"K10[0-9a-f]{64}::(?:[\w.-]+:)?[\w.-]{16,}", "k10"),
    _token("lxd-token", "a token to join LXD", r"eyJ(?:jbGllbnRfbmFtZ|zZXJ2ZXJfbmFtZ)SI6[A-Za-z0-9+/]{40,}={0,2}", "eyjjbgllbnrfbmftzsi6", "eyjzzxj2zxjfbmftzsi6"),
    _token("maas-key", "an API key of MAAS", r"[A-Za-z0-9]{18}:[A-Za-z0-9]{18}:[A-Za-z0-9]{32}(?![A-Za-z0-9:])", probe=rb"[a-z0-9]{18}:[a-z0-9]{18}:[a-z0-9]{32}"),
    _token("dropbox-token", "a token of Dropbox", rf"sl\.(?:u\.)?[A-Z]{REST}{{100,}}", "sl."),
    _token("dynatrace-token", "a token of Dynatrace", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "dt0"),
    _token("netlify-token", "a token of Netlify", r"nf[pcouw]_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "nfp_", "nfc_", "nfo_", "nfu_", "nfw_"),
    _token("nuget-key", "a key of NuGet", r"oy2[a-z0-9]{43}(?![A-Za-z0-9])", "oy2"),
    _token("posthog-key", "a private key of PostHog", r"ph[xsar]_[A-Za-z0-9]{40,}", "phx_", "phs_", "pha_", "phr_"),
    _token("paypal-token", "a token of Braintree", r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}", "access_token$"),
    _token("nebula-key", "a key of Defined Networking", r"dnkey-[A-Z0-9=_-]{26}-[A-Z0-9=_-]{52}", "dnkey-"),
    _token("salesforce-session", "a session of Salesforce", r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?![A-Za-z0-9._]{80,}", "00d"),
    _token("shopify-token", "a token of Shopify", r"shp(?:at|ca|pa|ss|tka)_[A-Za-z0-9]{32}", "shpat_", "shpca_", "shppa_", "shpss_", "shptka_"),
    _token("databricks-token", "a token of Databricks", r"dapi[a-fA-F0-9]{32}", "dapi"),
    _token("discord-token", "a token of a Discord bot", rf"[MNO](?=[A-Za-z0-9]*\d)[A-Za-z0-9]{{23,25}}\.{REST}{{6}}\.{REST}{{27,38}}(?!{REST})", probe=rb"\.[a-z0-9_-]{6}\.[a-z0-9_-]{27}"),
    _token("cloudflare-token", "a token of Cloudflare", r"(?:cfat|cfut|cfk)_[A-Za-z0-9]{40,}", "cfat_", "cfut_", "cfk_"),
    _token("vercel-token", "a token of Vercel", r"vc[piark]_[A-Za-z0-9]{24,}", "vcp_", "vci_", "vca_", "vcr_", "vck_"),
    _token("model-key", "a key of Groq, xAI, Perplexity, Replicate, NVIDIA, LlamaCloud", rf"(?:gsk_[A-Za-z0-9]{{48,}}|xai-[A-Za-z0-9]{{70,}}|pplx-[A-Za-z0-9]{{40,}}|r8_[A-Za-z0-9]{{37}}|nvapi-{REST}{{60,}}|llx-{REST}{{48}})",
           "llx-", "gsk_", "xai-", "pplx-", "r8_", "nvapi-"),
    _token("figma-token", "a token of Figma", rf"fig[dour]_{REST}{{40}}", "figd_", "figo_", "figu_", "figr_"),
    _token("supabase-token", "a token of Supabase", r"sbp_[a-f0-9]{40}", "sbp_"),
    _token("heroku-key", "a key of Heroku", rf"HRKU-(?:A{REST}{{58,}}|[a-f0-9]{{8}}(?:-[a-f0-9]{{4}}){{3}}-[a-f0-9]{{12}})", "hrku-"),
    _token("buildkite-token", "a token of Buildkite", r"bk[ua]a_[A-Za-z0-9]{40}", "bkua_", "bkaa_"),
    _token("circleci-token", "a token of CircleCI", r"CCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[a-f0-9]{40}", "ccipat_", "cciprj_"),
    _token("prefect-key", "a key of Prefect", r"pn[ub]_[A-Za-z0-9]{36}", "pnu_", "pnb_"),
    _token("easypost-key", "a key of EasyPost", r"EZ[AT]K[A-Za-z0-9]{54}", "ezak", "eztk"),
    _token("fly-token", "a token of Fly.io", r"fm[12][ra]?_[A-Za-z0-9+/=]{40,}", "fm1_", "fm2_", "fm1r_", "fm2r_", "fm1a_", "fm2a_"),
    _token("postman-key", "a key of Postman", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "pmak-"),
    _token("pulumi-token", "a token of Pulumi", r"pul-[a-f0-9]{40}", "pul-"),
    _token("planetscale-token", "a token of PlanetScale", r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.-]{32,64}", "pscale_"),
    _token("newrelic-key", "a key of New Relic", r"NR(?:AK|JS|II|AL)-[A-Za-z0-9-]{19,40}", "nrak-", "nrjs-", "nrii-", "nral-"),
    _token("sentry-token", "a token of Sentry", r"sntry[su]_[A-Za-z0-9+/=_]{40,}", "sntrys_", "sntryu_"),
    _token("notion-token", "a token of Notion", r"(?:ntn_\d{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}(?![A-Za-z0-9]))", "ntn_", "secret_"),
    _token("service-token", "a token of Airtable, Alchemy, Apify, Duffel, LangSmith, pganalyze, Rootly, Shippo",
           rf"(?:pat[A-Za-z0-9]{{14}}\.[a-f0-9]{{64}}|alcht_[A-Za-z0-9]{{30}}|apify_api_[A-Za-z0-9]{{36}}|duffel_(?:test|live)_{REST}{{43}}|lsv2_(?:pt|sk)_[a-f0-9]{{32}}_[a-f0-9]{{10}}"
           r"|pga[rw]_[A-Za-z0-9]{20,}|rootly_[a-f0-9]{64}|shippo_(?:live|test)_[a-f0-9]{40})",
           "alcht_", "apify_api_", "duffel_", "lsv2_", "pgar_", "pgaw_", "rootly_", "shippo_", probe=rb"pat[a-z0-9]{14}\.[a-f0-9]{64}"),
    _token("openshift-token", "a token of OpenShift", rf"sha256~{REST}{{43}}(?!{REST})", "sha256~"),
    _token("terraform-token", "a token of Terraform Cloud", rf"[A-Za-z0-9]{{14}}\.atlasv1\.{REST}{{60,}}", "atlasv1."),
    _token("tailscale-key", "a key of Tailscale", r"tskey-[a-z]+-[A-Za-z0-9-]{20,}", "tskey-"),
    _token("jfrog-token", "a token of Artifactory", r"(?:AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59})", "akcp", "cmvmd"),
    _token("sourcegraph-token", "a token of Sourcegraph", r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}", "sgp_"),
    _token("typeform-token", "a token of Typeform", r"tfp_[A-Za-z0-9_.=-]{44,}", "tfp_"),
    _token("readme-key", "a key of ReadMe", r"rdme_[a-z0-9]{70}", "rdme_"),
    _token("1password-token", "a token of 1Password", r"(?:ops_eyJ[A-Za-z0-9+/]{50,}={0,3}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3})", "ops_", "a3-"),
    _token("square-token", "a token of Square", rf"(?:sq0(?:atp|csp|idp)-{REST}{{22,60}}|EAAA{REST}{{56,64}})", "sq0atp-", "sq0csp-", "sq0idp-", anywhere=("eaaa",)),
    _token("ceph-key", "a key of Ceph", r"(?<![A-Za-z0-9+/])AQ[A-Za-z0-9+/]{36}==", probe=rb"aq[a-z0-9+/]{36}=="),
    _token("encoded-key", "a key in base64", rf"LS0tLS1CRUdJTi(?!{PUBLIC_ENCODED})[A-Za-z0-9+/]{{40,}}={{0,2}}", anywhere=("ls0tls1crudjti",)),  # -----BEGIN
    _token("encoded-token", "a token of GitHub in base64", rf"[A-Za-z0-9+/]{{0,64}}(?:{'|'.join(GITHUB_ENCODED)})[A-Za-z0-9+/]{{48,}}={{0,2}}",
           anywhere=GITHUB_ENCODED),
    _token("ntlm-message", "a message of NTLM", r"TlRMTVNTUAA[BCD]AAAA[A-Za-z0-9+/]{8,}={0,2}", "tlrmtvntuaa"),
    # In base64: "location" of version 1, a location of version 2, and the JSON of Juju and Candid, alone and in a list.
    _token("macaroon", "a macaroon", rf"(?:MDA[A-Za-z0-9]{{3}}xvY2F0aW9u[A-Za-z0-9+/_-]{{40,}}={{0,2}}|AgE[B-Za-z]{REST}{{80,}}={{0,2}}|(?:eyJj(?:YXZlYXRzIjpb|Ijpb)|W3siY(?:2F2ZWF0cyI6W3|yI6W3))[A-Za-z0-9+/_-]{{20,}}={{0,2}})",
           anywhere=("xvy2f0aw9u", "eyjjyxzlyxrzijpb", "eyjjijpb", "w3siy2f2zwf0cyi6w3", "w3siyyi6w3"), probe=rb"age[b-z][a-z0-9_-]{80}"),
    _token("web-token", "a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", probe=rb"\.eyj[a-z0-9_-]{10}"),
    _token("fernet-token", "a Fernet token", r"gAAAAA[A-Za-z0-9_-]{60,}={0,2}", probe=rb"gaaaaa[a-z0-9_-]{60}"),
)  # fmt: skip
_CRYPT: Final = "[./A-Za-z0-9]"
HASHES: Final = (
    SecretPattern(
        "password-hash", "a hash of a password",
        re.compile(  # crypt(5), htpasswd, phpass, and the schemes of passlib
            rf"\$(?:(?:1|apr1|5|6|7|sha1|md5)\$(?:rounds=\d+\$|\d+\$)?{_CRYPT}{{0,22}}\${_CRYPT}{{20,}}|2[abxy]?\$\d\d\${_CRYPT}{{20,}}"
            rf"|(?:y|gy)\${_CRYPT}{{1,8}}\${_CRYPT}{{1,86}}\${_CRYPT}{{20,}}|[PH]\$B{_CRYPT}{{30}}"
            rf"|(?:argon2(?:i|d|id)|pbkdf2(?:-sha\d+)?|scrypt|bcrypt(?:-sha256)?)\$[A-Za-z0-9$,=./+]{{20,}})", I,
        ),
        probe=re.compile(rb"\$(?:1|apr1|5|6|7|2[abxy]?|g?y|sha1|md5|[ph]|argon2[id]{1,2}|pbkdf2[a-z0-9-]*|s?b?crypt[a-z0-9-]*)\$"),
    ),
    SecretPattern(
        "password-hash", "a hash of a password in LDAP",
        re.compile(r"\{(?:SSHA|SHA|SMD5|MD5|SSHA256|SSHA512|CRYPT|PBKDF2)\}[A-Za-z0-9+/$.=]{16,}", I),
        programs=tuple(f"{{{scheme}}}" for scheme in ("ssha", "sha", "smd5", "md5", "ssha256", "ssha512", "crypt", "pbkdf2")),
    ),
    SecretPattern(
        "password-hash", "a hash of a password in PostgreSQL",
        re.compile(r"(?<![^\s\"'|])(?:md5[0-9a-f]{32}|SCRAM-SHA-\d{1,3}\$\d+:[A-Za-z0-9+/=]{8,}\$[A-Za-z0-9+/=]{8,}:[A-Za-z0-9+/=]{8,})(?![\w+/=-])", I),
        words=("md5", "scram-sha-"), follows=re.compile(rb"(?:(?<=md5)[0-9a-f]{32}|(?<=scram-sha-)[0-9]{1,3}\$)"),
    ),
    SecretPattern(
        "jenkins-token", "a token of Jenkins", re.compile(r"(?<![A-Za-z0-9])11[0-9a-f]{32}(?![A-Za-z0-9])", I),
        prefixes=tuple(f"11{digit}" for digit in "0123456789abcdef"), follows=re.compile(rb"[0-9a-f]{31}(?![a-z0-9])"),
    ),
)  # fmt: skip
