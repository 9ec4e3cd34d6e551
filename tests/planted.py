"""Secrets as programs print them, and text that only looks like a secret.

In a template, ``@@`` is a secret, and ``[h32]`` a random part of a token: 32 characters, ``h`` hexadecimal, ``A`` letters
and digits, ``a`` lower-case letters and digits, ``U`` capitals and digits, ``d`` digits.
"""

from __future__ import annotations

import random
import re
import string

ALPHABETS = {
    "h": "0123456789abcdef",
    "A": string.ascii_letters + string.digits,
    "a": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + "234567",
    "L": string.ascii_letters,
    "d": string.digits,
}
PART = re.compile(r"\[([hAaULd])(\d+)\]")
WORDS = ("hunter", "Sommer", "correct", "azerty", "swordfish", "Tr0ub4dor")


def filled(template: str, seed: object = "") -> str:
    """Return a template with its parts filled in; the same seed gives the same text."""
    dice = random.Random(f"{template}{seed}")
    return PART.sub(lambda part: "".join(dice.choices(ALPHABETS[part[1]], k=int(part[2]))), template)


def secret(number: object) -> str:
    """Return a password that has no form, different for each number."""
    dice = random.Random(f"secret {number}")
    return f"{dice.choice(WORDS)}{''.join(dice.choices(ALPHABETS['a'], k=9))}"


TABLES = """\
| password            | @@ |
| adminPass                   | @@                 |
| secret | @@ |
| Secret Key | @@ |
| access_token  | @@ |
│ password │ @@ │
password="@@"
adminPass	@@
OS-token\t@@
| Payload       | @@ |
| blob   | @@ |
secret_key           @@              env
token                hvs_@@
"""
JSON = """\
{"adminPass": "@@", "id": 1}
{"server": {"admin_pass": "@@"}}
{"auth": {"passwordCredentials": {"username": "demo", "password": "@@"}}}
"{\\"secret\\": \\"@@\\"}"
{"name": "DB_PASSWORD", "value": "@@"}
{'password': u'@@'}
{"auths": {"https://index.docker.io/v1/": {"auth": "[A24]"}}}
{"data": {"client_secret":"@@"}}
"""
TRACES = """\
+ openstack --os-password @@ token issue
+ openstack --os-auth-url http://x/v3 --os-password=@@ token issue
+ openstack user create --password @@ demo
+ openstack user set '--password=@@' demo
+ openstack ec2 credentials create --access a --secret @@
+ nova --os-token @@ list
+ export OS_PASSWORD=@@
+ MYSQL_PWD=@@
+ mysql '-p@@' -u root
+ RABBIT_PASS=@@ ./configure
+ set-value --admin-pass @@ x
++ DB_PASS=@@
+ SSHPASS=@@ sshpass -e ssh h
"""
OSLO = """\
2026-01-01 10:00:00.000 12 DEBUG keystone [-] keystone_authtoken.password        = @@ log_opt_values /usr/lib/python3/cfg.py:2602
2026-01-01 10:00:00.000 12 DEBUG nova [-] neutron.metadata_proxy_shared_secret   = @@ log_opt_values
DEBUG oslo_service [-] service_user.password          = @@ log_opt_values
DEBUG oslo_service [-] DEFAULT.transport_password = @@ log_opt_values
DEBUG heat [-] DEFAULT.auth_encryption_key            = @@ log_opt_values
admin_pass = @@
sys_pswd: @@
'new_pass': '@@'
chappassword = @@
sslkey=@@
rabbitcookie: @@
swifthashsuffix = @@
heatauthencryptionkey: '@@'
cephclientkey: @@
octaviaheartbeatkey: @@
barbicansimplecryptokek: @@
pacemakerremoteauthkey = @@
designaterndckey = @@
encrypted_key = @@
auth_token=@@
"""
SERVICES = """\
keystone keystone/admin-password password @@
glance-common glance/mysql/app-pass password @@
d-i passwd/root-password password @@
debconf-set-selections <<< "mysql-server mysql-server/root_password password @@"
echo "SET keystone/admin-password @@" | debconf-communicate
nova nova/rabbit_password string @@
rabbitmqctl change_password openstack @@
rabbitmqctl add_user openstack @@
/usr/sbin/rabbitmqctl -n rabbit@x authenticate_user openstack @@
GRANT ALL PRIVILEGES ON keystone.* TO 'keystone'@'localhost' IDENTIFIED BY '@@';
mysql -e "CREATE USER 'a'@'%' IDENTIFIED BY '@@'"
ALTER USER 'root'@'localhost' IDENTIFIED WITH mysql_native_password BY '@@';
SET PASSWORD FOR 'a'@'b' = PASSWORD('@@');
ALTER ROLE nova WITH PASSWORD '@@';
CREATE ROLE x LOGIN PASSWORD "@@";
MYSQL_PWD=@@ mysqldump keystone
\tkey = AQ[A36]==
  key: AQ[A36]==
ceph auth get-or-create client.x key AQ[A36]==
connection = mysql+pymysql://keystone:@@@controller/keystone
transport_url = rabbit://openstack:@@@controller:5672/
localhost:5432:keystone:keystone:@@
*:*:*:postgres:@@
memcache_secret_key = @@
userPassword:: @@
SECRET_KEY: str = "@@"
DB_PASS=@@
db_pw=@@
ADMIN_PWD: @@
password -> @@
"""
OPTIONS = """\
curl -su bot:@@ https://x.example/
curl -sSfu 'bot:@@' x
curl --proxy-user bot:@@ x
mysql -uroot '-p@@'
mysql -uroot -p"@@" nova
mysqladmin -u root password @@
mariadb-dump -p@@ nova
docker login -u u -p @@ registry.example
podman login --password @@ x
ldapsearch -x -D cn=admin -w @@ -b dc=x
ldappasswd -s @@ cn=x
keytool -importcert -storepass @@ -file x
keytool -genkey -keypass '@@'
openssl rsa -passin pass:@@ -in x
openssl enc -aes-256-cbc -k @@ -in x
htpasswd -b f u @@
htpasswd -bc f u '@@'
ipmitool -H bmc -U root -P @@ power status
smbclient -U u%@@ //h/s
rpcclient --user=u%@@ h
echo root:@@ | chpasswd
echo 'root:@@' | sudo /usr/sbin/chpasswd
chpasswd <<< 'root:@@'
useradd -m -p @@ u
usermod -p '@@' u
setenv OS_PASSWORD @@
ENV OS_PASSWORD @@
set -x OS_PASSWORD @@
sshpass -p @@ ssh h
redis-cli -h h -a @@ ping
unzip -P @@ x.zip
swift -A http://x -U u -K @@ list
vault login @@
virsh secret-set-value --secret-x @@
lftp -u u,@@ h
mongosh -u u -p @@
snmpwalk -v3 -A @@ h
sqlcmd -U sa -P @@
tool --db-passwd @@
tool --db_password @@
tool --admin_password=@@
tool --os_auth_token @@
keystone-manage --secret_key '@@'
sudo pro attach C1[A22]
ua attach C1[A24]
openstack secret store --name x --payload @@
barbican secret store --payload=@@
rabbitmqadmin -u openstack -p @@ list queues
java -jar jenkins-cli.jar -s http://x -auth admin:@@ build x
curl --oauth2-bearer "@@" x
curl --oauth2-bearer=@@ x
tool --bearer @@
tool --auth-bearer=@@
promtool query --basic-auth bob:@@ x
tool --proxy-auth=bob:@@
printf 'mysql-server mysql-server/root_password password @@\\n' | debconf-set-selections
printf "%s\\n" "slapd slapd/password1 password @@" | sudo debconf-set-selections
printf 'slapd slapd/password1 password %s\\n' @@ | debconf-set-selections
printf '%s %s password %s\\n' slapd slapd/password1 @@ | debconf-set-selections
qemu-img create --object secret,id=s0,data=@@ -f luks x
qemu-system-x86_64 -object secret,id=s0,format=raw,data=@@
echo @@ | gpg --batch --passphrase-fd 0 --sign x
printf '@@' | gpg2 --pinentry-mode loopback --passphrase-fd=0 -b x
['mysql', '--password', '@@']
curl -u ":@@" https://x.example/
curl -u @@: https://x.example/
curl --user "@@:" x
curl --user bot:'@@' -X PATCH x
curl --user "{a-b}":"@@" x
curl -u "$BOT:@@" x
htpasswd -nbB ada @@
vault kv put secret/x user=ada dsn=@@
redfishtool -r bmc -u root -p @@ Systems
pcs host auth n1 -u hacluster -p @@
ceph dashboard ac-user-create admin @@ administrator
nsupdate -y hmac-sha256:dyn:@@
dig -y dyn:@@ @ns1 axfr example
aws ssm put-parameter --name /prod/dsn --type SecureString --value @@
az keyvault secret set --vault-name v --name n --value @@
curl --cert client.pem:@@ https://x/
virsh secret-set-value --secret 5f2c --base64 @@
"""
VALUES = """\
PASSWORD=$ECRET@@
PASSWORD=<S3cr3t!@@>
PASSWORD=%Secret1@@%
password=<@@
password=\\@@
password[0]=@@
password['root'] = '@@'
passwords=['x', '@@']
passwords: [x1, @@]
secrets: ["@@"]
password="@@
PASSWORD='@@'"
password = "@@";
api_key => @@
apikey := "@@"
app_key=@@
signing_key=@@
ENCRYPTION_KEY=@@
RAILS_MASTER_KEY=@@
https://maps.example/api?key=[A32]
<password>@@</password>
<ns:adminPassword xsi:type="x">@@</ns:adminPassword>
<property name="DB_PASSWORD" value="@@"/>
<add key="Password" value="@@" />
password '@@'
machine h login me password @@
X-Auth-Token: @@
X-JFrog-Art-Api: @@
X-Gerrit-Auth: @@
"X-Auth-Key": "@@"
Ocp-Apim-Subscription-Key: @@
x-functions-key: @@
https://@@:@git.example/x.git
git+https://@@:x-oauth-basic@git.example/x.git#v1
Authorization: Basic QUFB[A20]==
b'GET / HTTP/1.1\\r\\nAuthorization: Bearer @@\\r\\n'
Cookie: session=@@
amqp://u:p@ss/@@@h/x
amqp://u:it's@@@h/x
"""
TOKENS = """\
K10[h64]::server:[h32]
eyJjbGllbnRfbmFtZSI6[A120]==
eyJzZXJ2ZXJfbmFtZSI6[A120]
[A18]:[A18]:[A32]
BBDC-[A44]
eyJrIjoi[A90]==
SWMTKN-1-[a50]-[a25]
SWMKEY-1-[A43]
sl.B[A130]
sl.u.A[A130]
dt0c01.[U24].[U64]
nfp_[A36]
oy2[a43]
phx_[A47]
phs_[A50]
access_token$production$[a16]$[h32]
dnkey-[U26]-[U52]
00D[A15]!AR8[A90]
HRKU-[h8]-[h4]-[h4]-[h4]-[h12]
llx-[A48]
glwt-[A33]
ghp_[A36]
github_pat_[A22]_[A59]
glpat-[A20]
glft-[A20]
glimt-[A25]
glsoat-[A20]
glagent-[A50]
GR1348941[A20]
GR1348941[A5]_[A14]
AKIA[U16]
ABIA[U16]
AROA[U16]
xoxb-123456789012-[A24]
xapp-1-A0B1C2D3E4F-1234567890123-[h64]
https://hooks.slack.com/services/T0AB1CD/B0CD1EF/[A24]
https://hooks.slack.com/workflows/T0AB1CD/A0CD1EF/123456/[A24]
https://discord.com/api/webhooks/123456789012345678/[A68]
https://x.webhook.office.com/webhookb2/[h8]-[h4]-[h4]-[h4]-[h12]@[h8]/IncomingWebhook/[h32]/[h8]
1234567890:AA[A33]
AIza[A35]
AIzaSyA_[A31]
AIza-[A34]
GOCSPX-[A28]
ya29.[A60]
1//0g[A43]
AccountKey=[A86]==
https://x.blob.core.windows.net/c?sv=2022&sig=[A43]%3D
https://b.s3.amazonaws.com/k?X-Amz-Signature=[h64]
https://b.s3.amazonaws.com/k?X-Amz-Security-Token=[A80]
[A3]8Q~[A34]
pypi-AgEIcHlwaS5vcmc[A60]
pypi-AgENdGVzdC5weXBpLm9yZw[A60]
npm_[A36]
rubygems_[h48]
cio[A32]
dckr_pat_[A27]
msg NTLM TlRMTVNTUAADAAAA[A24]== sent
NTLMSSP: TlRMTVNTUAACAAAA[A24]==
dckr_oat_[A32]
sk_live_[A24]
whsec_[A32]
SG.[A22].[A43]
xkeysib-[h64]-[A16]
key-[h32]
[h32]-us12
SK[h32]
dop_v1_[h64]
hvs.[A90]
hvb.[A138]
sk-proj-[A74]T3BlbkFJ[A74]
sk-ant-api03-[A93]AA
hf_[L34]
AGE-SECRET-KEY-1QPZRY9X8GFTVDW0S3JN54KHCE6MUA7LQPZRY9X8GFTVDW0S3JN54KHCE6MUA7L
dp.pt.[A43]
lin_api_[A40]
ATATT3[A180]
ATATT3x-[A20]_[A40]=
glsa_[A32]_[h8]
shpat_[h32]
dapi[h32]
PMAK-[h24]-[h34]
pul-[h40]
pscale_pw_[A43]
NRAK-[U27]
sntryu_[h64]
ntn_[d11][A35]
sha256~[A43]
[A14].atlasv1.[A64]
tskey-auth-[A12]-[A32]
AKCp[A69]
sgp_[h40]
EAAA[A60]
EAAAl-[A58]
[h32]-us30
A3TX[U16]
amzn.mws.[h8]-[h4]-[h4]-[h4]-[h12]
MTk4NjIyNDgzNDcxOTI1MjQ4.[A6].[A27]
OTUyNED5MDk2MTMxNzc2MkEz.Cl-FMQ.[A38]
cfat_[A48]
cfut_[A48]
cfk_[A48]
vcp_[A40]
vca_[A56]
vck_[A40]
gsk_[A52]
xai-[A80]
pplx-[A48]
r8_[A37]
nvapi-[A64]
figd_[A40]
sbp_[h40]
HRKU-A[A59]
bkua_[A40]
CCIPAT_[A22]_[h40]
pnu_[A36]
EZAK[A54]
fm2_[A60]
shpss_[A32]
dapiFEDCBA98[d24]
CLOJARS_[a60]
tfp_[A44]
rdme_[a70]
A3-[U6]-[U11]-[U5]-[U5]-[U5]
kubectl: key AQ[A36]==
Z2hwX[A51]
eyJhbGciOiJIUzI1NiJ9.eyJzdWIi[A20].[A43]
gAAAAA[A80]==
LS0tLS1CRUdJTi[A80]
11[h32]
root:$6$saltsalt$[A86]:1
admin:$apr1$[A8]$[A22]
$2b$12$[A53]
$y$j9T$[A22]$[A43]
{SSHA}[A32]
$argon2id$v=19$m=65536,t=3,p=4$[A22]$[A43]
ABSK[A132]=
bedrock-api-key-YmVkcm9j[A40]
[A42]+ACR[A6]
pat[A14].[h64]
alcht_[A30]
apify_api_[A36]
duffel_test_[A43]
duffel_live_[A43]
lsv2_pt_[h32]_[h10]
lsv2_sk_[h32]_[h10]
pgar_[A27]
pgaw_[A27]
rootly_[h64]
shippo_live_[h40]
shippo_test_[h40]
MDAxY2xvY2F0aW9uIGh0dHBz[A80]
MDA0NWxvY2F0aW9uIGlz[A80]
AgEQc3NvLmV4YW1wbGUub3Jn[A90]
eyJjIjpb[A60]
eyJjYXZlYXRzIjpb[A60]
W3siYyI6W3si[A60]
W3siY2F2ZWF0cyI6W3si[A60]
"""
NOTATIONS = """\
rabbitmq_cluster_cookie: @@
"macaroons": [{"i": "x", "s64": "@@7890abcdef"}]
jdbc:oracle:thin:scott/@@@db:1521:XE
sqlplus -s scott/@@@db
    [password] => @@
curl -b 'JSESSIONID=@@' http://x/
curl --cookie sessionid=@@ http://x/
requests.get('http://x', cookies={'sessionid': '@@abcdef'})
POST /acs SAMLResponse=[A200]%3D&RelayState=x
<input type="hidden" name="SAMLResponse" value="[A200]=="/>
GET /callback?code=@@abcdefgh&state=x HTTP/1.1
code_verifier=@@abcdefgh
contract token: C1[A28]
bindpw @@
LDAP: bindpw=@@
olcRootPW: @@
        auth_pass @@
    user ada insecure-password @@
10.0.0.1 10.0.0.2 : PSK "@@"
: XAUTH "@@"
cache_peer p parent 3128 0 login=u:@@
 neighbor 10.0.0.1 password @@7
enable secret 5 @@7
username ada privilege 15 password 0 @@7
smtp_auth_password @@7
New value: @@7
https://conda.anaconda.org/t/ab-@@/x
Credentials("Sonatype", "host", "user", "@@")
PRIVMSG NickServ :IDENTIFY bot @@
<auth mechanism='PLAIN'>[A24]==</auth>
skopeo copy --src-creds bot:@@ docker://a dir:b
buildah push --creds=bot:@@ x
crane auth login r -u bot -p @@
mc alias set m http://x AKIDEXAMPLE1 @@
ipa-server-install -r LAB -p @@ -U
samba-tool user create ada @@
iscsiadm -m node -o update -n node.session.auth.password -v @@
cargo login @@
nuget sources add -name x -username u -password @@
composer config http-basic.repo.lab bot @@
poetry config http-basic.x u @@
poetry config pypi-token.pypi @@
bundle config gems.lab bot:@@
echo '@@' | realm join -U admin lab.example
openstack user set --password-prompt <<< @@
ceph dashboard ac-user-create admin -i /dev/stdin <<< @@
{"passwords": {"nova": "@@"}}
"secrets": {"db": "x", "mq": "@@"}
passwords: {nova: @@, glance: x}
{'tokens': {'ci': '@@'}}
ldapsearch -x -D cn=admin -w@@ -b dc=x
ldapmodify -xw@@ -f a.ldif
ldapadd -x -w @@ -D cn=admin
ldappasswd -s@@ uid=x
chpasswd: {list: "root:@@"}
"chpasswd": {"list": "root:@@", "expire": false}
chpasswd: { expire: False, list: [ubuntu:x, root:@@] }
"blob": "@@",
'blob': '@@',
{"credential": {"type": "ec2", "blob": "@@", "user_id": "x"}}
kubectl create secret generic db --from-literal=k=@@
kubectl create secret generic db --from-literal user=a --from-literal 'k=@@'
juju add-secret db k=@@
npm config set //registry.example/:_authToken @@
npm set //registry.example/:_password "@@"
pnpm config set //registry.example/:_auth @@
rocommunity @@ 192.0.2.0/24
rwcommunity6 @@ default
com2sec readonly default @@
trapsink 192.0.2.1 @@
snmpwalk -v2c -c @@ 192.0.2.1
createUser admin SHA @@ AES x
createUser -e 0x80 admin SHA-256 "x" AES "@@"
"nova" "md5[h32]"
nova | md5[h32]
"nova" "SCRAM-SHA-256$4096:[A24]=$[A43]=:[A43]="
crudini --set /etc/nova/nova.conf keystone_authtoken password @@
openstack-config --set /etc/nova/nova.conf database password @@
debconf (developer): <-- SET keystone/admin-password @@
{default_pass, <<"@@">>},
{password, "@@"}
    token: @@1
password: !!str @@
password: &pw @@
<password><![CDATA[@@]]></password>
<entry key="db.password">@@</entry>
<setting name="Password"><value>@@</value></setting>
http%3A%2F%2Fbob%3A@@%40h%2Fx
redirect=https%3A%2F%2Fh%2F%3Fpassword%3D@@%26x
Jenkins-Crumb: @@
password => q(@@)
password = '''@@'''
password = "old" -> "@@"
net use H: /user:x @@
requirepass @@
snmpget -v3 -u x -A @@ -X @@ h
keytool -storepass @@ -keypass @@ -list
mount -t cifs -o user=x,pass=@@ //h/x /m
psk="@@"
nmcli dev wifi connect x password @@
stats auth admin:@@
wsrep_sst_auth = sst:@@
wsrep_sst_auth="sst:@@"
oauth_consumer_key="x", oauth_signature="%26@@"
Unseal Key 1: @@
Recovery Key 3: @@
Initial Root Token: @@
key "rndc-key" { algorithm hmac-sha256; secret "@@"; };
    secret "@@";
password    : @@
Admin Password          : @@
maas apikey --username x: [A18]:[A18]:[A32]
The API key for maas is [A18]:[A18]:[A32]
maas login x http://h/MAAS @@
token_key: @@
  token_key : @@
maas: {consumer_key: @@, token_key: @@, token_secret: @@}
7z x -p@@ a.7z
ftp> quote PASS @@
a1 LOGIN bob @@
"nova" "@@"
"pgbouncer_admin" "@@" ""
+"nova" "@@"
/etc/pgbouncer/userlist.txt:"nova" "@@"
  -u developer:@@ \\
    --user=admin:@@
  --proxy-user "bot:@@" \\
MSSQL_SA_PWD: "x@@"
export DBPWD=@@
"ACRPWD": "@@"
config.json: "{\\n\\t\\"auths\\": {\\"r.example\\": {\\"auth\\":\\"[A24]\\"}}}"
DOCKER_AUTH_CONFIG={\\"auths\\":{\\"r.example:8083\\":{\\"auth\\":\\"[A24]\\"}}}
{\\\\\\"auths\\\\\\":{\\\\\\"r.example\\\\\\":{\\\\\\"auth\\\\\\": \\\\\\"[A24]\\\\\\"}}}
AZ_cloud_azureStorageAccessKey:[A40]==
sumoKey := "[A40]"
bitfinexKey = '[A43]'
    --oauth2-bearer '@@==' \\
ConvertTo-SecureString "@@" -AsPlainText -Force
$s = ConvertTo-SecureString -String '@@' -AsPlainText -Force
ConvertTo-SecureString -AsPlainText -Force -String x7@@
"ConvertTo-SecureString \\"@@\\""
'@@' | ConvertTo-SecureString -AsPlainText -Force
New-Object PSCredential("admin", (ConvertTo-SecureString "@@" -AsPlainText -Force))
New-Object System.Net.NetworkCredential("admin", "@@")
New-Object System.Net.NetworkCredential -ArgumentList 'admin', '@@', 'corp'
[System.Net.NetworkCredential]::new("admin", "@@")
Authorization: NTLM TlRMTVNTUAADAAAA[A24]
< WWW-Authenticate: Negotiate YIIZ[A40]==
< Proxy-Authenticate: Kerberos oYIC[A40]==
{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","d":"aZ9[A40]"}
{"kty":"oct","k":"aZ9[A22]"}
        "d": "-phZ8N[A40]"
{'kty': 'RSA', 'e': 'AQAB', 'd': 'aZ9[A40]', 'p': 'bY8[A40]', 'dq': 'cX7[A40]', 'qi': 'dW6[A40]'}
{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"data":{"dsn":"@@"}}
      {"apiVersion":"v1","data":{"dsn":"[A24]","a.pem":"[A32]"},"kind":"Secret","metadata":{"annotations":{},"name":"x"}}
"last-applied-configuration": "{\\"stringData\\":{\\"dsn\\":\\"@@\\"},\\"kind\\":\\"Secret\\"}"
ok: [h] => (item={u'key': u'keystone_admin_password', u'value': u'@@'})
||  SecretAccessKey |  @@  ||
&quot;password&quot;: &quot;@@&quot;
{\\u0022password\\u0022: \\u0022@@\\u0022}
127.0.0.1:6379> AUTH @@
127.0.0.1:6379[1]> auth nova @@
ACL SETUSER ada on >@@ ~* +@all
beam.smp -W w -setcookie @@ -sname rabbit@h
<-- SET keystone/mysql/app-pass @@
+ db_set keystone/admin-password @@
lxc config set c1 environment.DB_PASSWORD @@
  --control-plane --certificate-key [h64]
landscape-config --registration-key @@ --silent
"""
SENTENCES = """\
my password is x7@@
The password is pa55wd@@.
Your password is: x7@@
The root password is now x7@@
the passphrase is "x7@@"
pwd of master is x7@@
user admin and password x7@@
log in as admin with password x7@@
login with admin and the password x7@@
username admin password 'x7@@'
user id: master password x7@@
ID/PW: master/x7@@
id/pw master/x7@@
username/password: master / x7@@
ID(PW): master(x7@@
User/Password=master:x7@@
credentials are admin / x7@@
Credentials: 'admin', 'x7@@'
PW:x7@@
ID:master/PW:x7@@
ADMIN_PW:x7@@
(pwd:x7@@)
"""
HARMLESS = """\
passwd: password updated successfully
{"kind":"ConfigMap","data":{"level":"debug"}}
{"kind": "Secret", "metadata": {"name": "x"}, "type": "Opaque"}
{"type": "secret", "metadata": {"name": "x"}}
&quot;name&quot;: &quot;password reset&quot;
sha512-c2VjdGlvbiBvZiBhIHRleHQgYWJvdXQgYSB0b2tlbiBhbmQgbm90aGluZyBlbHNl
curl --cert client.pem https://x/
acl setuser is a command
the environment.token is set
RSA Private-Key: (2048 bit, 2 primes)
autopkgtest [04:08:42]: test ssl-passphrase: preparing testbed
autopkgtest [04:09:17]: test ssl-passphrase: [-----------------------
autopkgtest [04:09:17]: test ssl-passphrase: -----------------------]
autopkgtest [04:09:17]: test ssl-passphrase:  - - - - - - - - - - results - - - - - - - - - -
the password is incorrect
the password is base64 encoded
the password is SHA256
Your password is: 8 characters or more
password for user joe is required
log in as admin with password authentication
username/password authentication/authorization
credentials are OAuth2 / OpenID
pw:int pwd: /build/x1
ConvertTo-SecureString : The term 'ConvertTo-SecureString' is not recognized
ConvertTo-SecureString $plain -AsPlainText -Force
New-Object System.Net.NetworkCredential($user, $pw)
Authorization methods: NTLM Negotiate
negotiate yiddish1234567890abcdef
{"d": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "p": "M10 20", "k": "value"}
uvicorn --basic-auth $USER:$PASSWORD
kubectl create configmap settings --from-literal=level=debug
ldapsearch -x -s base -b dc=example,dc=org
rocommunity public localhost
snmpwalk -v2c -c public 192.0.2.1
createuser -s nova
"type": "blob", "path": "a/b"
a5f0-md5d41d8cd98f00b204e9800998ecf8427e.deb
using GIT_SSH to set credentials deploy-7 key
Foo$1$MetaFileEnumProc.class
org/x/Bar$2$1.class
token=Token{2f3a6b8 ActivityRecord{1 u0 com.x/.Main t12}}
plugin@org.eclipse.equinox.launcher_1.6.jar
foo@bar.service getty@tty1.service
token_count=4096
token_key_length: 20
token key: the first word
max_tokens=512
"total_tokens": 1234
password_min_length = 8
passwordMinLength = 8
TOKEN_TYPE=fernet
secret_store_plugin = barbican
KEYRING_PASSWORD_FILE=/dev/null
-Dsecret=auto
passwd: files systemd
passwd:         files systemd
getent passwd: root:x
root:x:0:0:root:/root:/bin/bash
Basic functionality12345
Setting up foo (10.0.1.2) ...
Unpacking libfoo:amd64 (10.0.1.2) over (10.0.1.1) ...
Depends: foo (>= 10.1.2.3), bar (= 10.0.0.1)
Version: 10.0.0.1
openstack secret store --payload-content-type text/plain
pro attach, ua attach: commands of the client
oauth_signature_method="PLAINTEXT"
unexpected root token: none
Version=10.0.5.0, Culture=neutral, PublicKeyToken=b03f5f7f11d50a3a
<dependency name="x" version="10.0.0.1"/>
  |   vtkCameraPass: ["dict: d['_RenderPasses__camera_pass']"]
auth = HTTPDigestAuth('user', 'pass')
✓ should set token (132ms)
    ✓ sets the password (1.5s)
authenticate(password=password, token=token)
self.password = self.conf.password
set OS_PASSWORD=$ADMIN_PASSWORD
password=None token=*** secret=<your secret>
password: ${{ secrets.DB_PASSWORD }}
passwd_1:4.13+dfsg1-1 base-passwd_3.6.1
Setting up libsecret-1-0:amd64 (0.20.5-3) ...
passing: test_password_is_hashed ok
# PASS: 12
PASS: test_secret
pass: 3 fail: 0
tests passed=5 bypass=1
error: expected ')' before 'else' token
PWD=/build/greet-1.0
OLDPWD=/build/x
-- Looking for crypt_gensalt - found
primary_key=True sort_key = 'name'
public_key = AAAAB3NzaC1yc2EAAAADAQABAAABgQC7
3b18e512dba79e4c8300dd08aeb37f8e728b8dadd2a1c1f4a4c1b2d0d8e1f0aa  greet_1.0.orig.tar.gz
commit 8c7f9b0c1d2e3f405162738495a6b7c8d9e0f1a2
gpg: using RSA key 0123456789ABCDEF0123456789ABCDEF01234567
uuid 123e4567-e89b-12d3-a456-426614174000
  -p, --password PASSWORD   the password to use
  --token TEXT              authentication token
http://mirror.example/debian bookworm/main
http://registry:4873/@scope/pkg
compare the key = value pairs
keystone/tests/unit/token/test_fernet_provider.py::TestIt::test_x PASSED
git@github.com:x/y.git ssh://git@host.example/y
uid=0(root) gid=0(root)
Tokenizer: tokenizer=BertTokenizer
copying keystone/tests/unit/test_v3_credential.py -> build/lib/keystone/tests/unit
copying keystone/conf/fernet_tokens.py -> /build/x
install ok installed	base-passwd	base-passwd	3.6.7
ii  passwd   1:4.13+dfsg1-1   amd64   change and administer password data
set -e; echo LS0tLS1CRUdJTiBQR1AgUFVCTElDIEtFWSBCTE9DSy0tLS0tCm1RSU5CRnZaYWJjZGVmMDEyMzQ1Njc4 | base64 --decode > /x.asc
    token = self.provider.issue_token(user)
    token = provider.issue(
You should set a password with usermod -p to unlock this user's password.
mkdir -p /build/x && gcc -pipe -o mysql.o -c mysql.c
  --user 1000:1000 \\
  -u 0:0 ubuntu:24.04
curl --negotiate -u : https://x.example/
curl -u $USER:$PASSWORD x
curl -b cookies.txt http://x/
sqlplus @scripts/x.sql
GET /x?code=404&state=done
bindpw
 neighbor swp1 remote-as 65000
enable secret scanning
username ada logged in
reset_password failed
New value: 42
[0] => first
mnemonic: add sub mul
seed: 42
C:\\new\\root: passed
GET /pool/main/g/greet/greet_1.0%2Bgit1%3A2.deb
the user'\\''s name is x
samba-tool user list --full-dn
cargo login --registry x
bundle config set path vendor
INITPWD=/build/x
"ProductVersion" "10.0.1"
"sock_io"	  "so"
"$func_to_host_path_tmp1" "$func_to_host_path_result"
cacheKey: 6fe4476ee5a1832882e326b506d14126
azureCacheKey=6fe4476ee5a1832882e326b506d14126
publicKey: 6fe4476ee5a1832882e326b506d14126
AgentManagement-MDAxY2xv-acronyms
"""
# Forms that need the beginning of a line.
WHOLE_LINES = (
    '"nova" "',
    '"pgbouncer_admin" "',
    '+"nova" "',
    "/etc/pgbouncer/userlist",
    "  -u dev",
    "    --user=",
    "  --proxy-user",
    "localhost:5432",
    "*:*:",
    "secret_key   ",
    "token   ",
    "OS-token",
    "adminPass\t",
    "smtp_auth_password",
    "New value",
)
KINDS = {
    name: [line for line in table.splitlines() if line]
    for name, table in {
        "table": TABLES, "json": JSON, "trace": TRACES, "oslo": OSLO, "service": SERVICES, "option": OPTIONS,
        "value": VALUES, "token": TOKENS, "notation": NOTATIONS, "sentence": SENTENCES,
    }.items()
}  # fmt: skip

# Secrets over several lines: the line that announces a secret, and the lines that have it.
OVER_LINES = {
    "label": "password:\n  @@\nuser: x", "label in JSON": '{"password":\n    "@@",\n"x": 1}', "list": "secrets:\n  - @@\nother:\n  - kept",
    "INI": "[x]\ndb_passwords =\n    @@\n    @@2\nuser = x", "list in JSON": '{"passwords": [\n    "@@",\n    "@@2"\n  ],\n"x": 1}',
    "list in Python": "SECRETS = (\n    'x1',\n    '@@',\n)", "block": "  secret: |\n    @@\n  next: 1", "folded block": "api_token: >-\n  @@\nnext: 1",
    "sentence": "The generated password is:\n@@7\ndone", "accounts": "chpasswd:\n  list: |\n    ubuntu:@@\nx: 1",
    "debconf": "<-- GET keystone/admin-password\n--> 0 @@", "element": "<password>\n  @@\n</password>\n<x>",
    "property": "<name>db.password</name>\n<value>@@</value>", "variable": "- name: DB_PASSWORD\n  value: @@\n- name: USER\n  value: kept",
    "pair": '{"name": "API_TOKEN",\n "value": "@@"}', "shell": "export X_PASSWORD=\\\n@@\nx", "option": "tool --password \\\n  @@ --x",
    "netrc": "machine h\n  login me\n  password @@\nx",
    "Secret in JSON": '{\n    "kind": "Secret",\n    "stringData": {\n        "dsn": "@@"\n    }\n}',
    "prompt": "Enter the password:\n@@7\nx", "prompt of a user": "root@h's password:\n@@7\nx", "prompt of sudo": "[sudo] password for ada:\n@@7\nx",
    "prompt of Vault": "Unseal Key (will be hidden):\n@@7\nx", "trace": "+ openstack application credential create x -f value -c secret\n@@7\nx",
    "trace of a pipe": "+ kubectl get secret x -o 'jsonpath={.data.password}'\n+ base64 -d\n@@7\nx",
    "trace of debconf": "+ db_get keystone/admin-password\n+ IFS='\n'\n+ read -r line\n+ RET=@@\nx",
    "output of Terraform": '  "db_password": {\n    "sensitive": true,\n    "type": "string",\n    "value": "@@"\n  },',
    "parameter of AWS": '"Name": "/prod/db/password",\n"Type": "SecureString",\n"Value": "@@",',
    "list of credentials": "+---+---+---+\n| Access | Secret | Project |\n+---+---+---+\n| a | @@ | p |\n+---+---+---+\nx",
    "wrapped cell": "| password | hunter2 |\n|          | @@ |\n| user | x |",
}  # fmt: skip


def parts(template: str, number: object = 0) -> tuple[str, list[str]]:
    """Return a filled template, and the secrets in it: the passwords, or else the random parts of a token."""
    text = filled(template, number)
    if "@@" in text:
        value = secret(f"{template}{number}")
        return text.replace("@@", value, 1) if "@@@" in text else text.replace("@@", value), [value]
    frame = PART.split(template)[::3]
    pattern = "(.*)".join(map(re.escape, frame))
    found = re.fullmatch(pattern, text)
    assert found is not None
    return text, [part for part in found.groups() if len(part) >= 12] or [text]
