package server_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/server/servertest"
)

// pythonRuntime is the runtime that this machine's Python serves.
func pythonRuntime(t testing.TB) types.Runtime {
	t.Helper()
	for _, v := range []string{"3.11", "3.12", "3.13", "3.14"} {
		if out, err := exec.Command("/usr/bin/python"+v, "--version").Output(); err == nil && strings.HasPrefix(string(out), "Python "+v) {
			return types.Runtime("python" + v)
		}
	}
	t.Fatal("no /usr/bin/python3.11 to 3.14 found: run `make test-deps`")
	return ""
}

// A function that is made with the calls of Lambda runs, with the credentials of its role
// and nothing else of the server: it tries its files, its ports and its other endpoints.
func TestFunctionRunsContained(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	ctx := t.Context()
	role, err := iam.NewFromConfig(g.AWS(t)).CreateRole(ctx, &iam.CreateRoleInput{
		RoleName:                 aws.String("fn"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	source := `
import datetime, hashlib, hmac, os, socket, urllib.request, urllib.error
def fetch(url, headers={}):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=3).status
    except urllib.error.HTTPError as e:
        return e.code
    except Exception as e:
        return type(e).__name__
def read(path):
    try:
        return open(path).read()
    except Exception as e:
        return type(e).__name__
def connect(host, port):
    try:
        socket.create_connection((host, int(port)), 2)
        return "connected"
    except Exception as e:
        return type(e).__name__
def tunnel(address):
    c = socket.create_connection(("127.0.0.1", int(os.environ["HTTPS_PROXY"].rsplit(":", 1)[1])), 5)
    c.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (address, address)).encode())
    return c.recv(4096).split(b" ")[1].decode()
def signed(endpoint, body):
    e, now = os.environ, datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    day, host = now[:8], endpoint.split("//")[1]
    h = lambda b: hashlib.sha256(b).hexdigest()
    m = lambda k, s: hmac.new(k, s.encode(), hashlib.sha256).digest()
    lines = "content-type:application/x-www-form-urlencoded\nhost:%s\nx-amz-date:%s\nx-amz-security-token:%s\n" % (host, now, e["AWS_SESSION_TOKEN"])
    names = "content-type;host;x-amz-date;x-amz-security-token"
    request = "\n".join(["POST", "/", "", lines, names, h(body)])
    scope = day + "/us-east-1/sts/aws4_request"
    key = m(m(m(m(("AWS4" + e["AWS_SECRET_ACCESS_KEY"]).encode(), day), "us-east-1"), "sts"), "aws4_request")
    sig = m(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, h(request.encode())])).hex()
    auth = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (e["AWS_ACCESS_KEY_ID"], scope, names, sig)
    r = urllib.request.Request(endpoint + "/", data=body, headers={"Authorization": auth, "X-Amz-Date": now, "X-Amz-Security-Token": e["AWS_SESSION_TOKEN"], "Content-Type": "application/x-www-form-urlencoded"})
    try:
        return urllib.request.urlopen(r, timeout=5).read().decode()
    except urllib.error.HTTPError as e:
        return "%d %s" % (e.code, e.read().decode())
def handler(event, context):
    print("seen", event["name"])
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    own = {"Authorization": "AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/sts/aws4_request" % os.environ["AWS_ACCESS_KEY_ID"]}
    return {
        "key": os.environ["AWS_ACCESS_KEY_ID"][:4],
        "data": read(event["data"] + "/sealing.key"),
        "control": connect(*event["control"].split(":")),
        "unsigned": fetch(endpoint + "/"),
        "root": fetch(endpoint + "/", {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAROOT/20260101/us-east-1/sts/aws4_request"}),
        "health": fetch(endpoint + "/_gatehouse/health", own),
        "invoke": fetch(endpoint + "/_aws/execute-api/api/stage/x", own),
        "by proxy to control": tunnel(event["control"]),
        "by proxy to metadata": tunnel("169.254.169.254:80"),
        "by proxy to a data port": tunnel(event["http"]),
        "identity": signed(endpoint, b"Action=GetCallerIdentity&Version=2011-06-15"),
        "forged": fetch(endpoint + "/?Action=GetCallerIdentity&Version=2011-06-15", own),
    }
`
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	e, err := z.Create("m.py")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(e, source)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c := lambda.NewFromConfig(g.AWS(t))
	if _, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("fn"), Runtime: pythonRuntime(t), Role: role.Role.Arn, Handler: aws.String("m.handler"), Timeout: aws.Int32(30),
		Code: &types.FunctionCode{ZipFile: b.Bytes()},
	}); err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]string{"name": "fn", "data": g.Config.Data, "control": g.Control, "http": g.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("fn"), Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Payload, &got); err != nil || out.FunctionError != nil {
		t.Fatalf("%s: %v", out.Payload, err)
	}
	for what, want := range map[string]any{
		"key": "ASIA", "data": "FileNotFoundError", "control": "ConnectionRefusedError",
		"unsigned": 403.0, "root": 403.0, "health": 403.0, "invoke": 403.0,
		"by proxy to control": "502", "by proxy to metadata": "502", "by proxy to a data port": "200",
	} {
		if got[what] != want {
			t.Errorf("%s: %v, want %v", what, got[what], want)
		}
	}
	if id := fmt.Sprint(got["identity"]); !strings.Contains(id, ":assumed-role/fn/fn</Arn>") {
		t.Errorf("a call signed with the role's credentials: %s", id)
	}
	cw := cloudwatchlogs.NewFromConfig(g.AWS(t))
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ev, err := cw.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/lambda/fn"), FilterPattern: aws.String("seen")})
		if err == nil && len(ev.Events) == 1 && strings.TrimSpace(*ev.Events[0].Message) == "seen fn" {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the function's log: %+v, %v", ev, err)
		}
	}
	// Its own key comes as far as the signature, which is not one.
	if got["forged"] != 400.0 && got["forged"] != 403.0 {
		t.Errorf("a forged signature: %v", got["forged"])
	}
}
