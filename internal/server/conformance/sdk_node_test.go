package conformance

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

const sdkDocument = `
swagger: "2.0"
info: {title: "sdk */ \u2028 \"test\""}
securityDefinitions:
  api_key: {type: apiKey, name: x-api-key, in: header}
  sigv4: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}
paths:
  /: {get: {responses: {200: {description: ok}}, x-amazon-apigateway-integration: &mock {type: mock, requestTemplates: {application/json: '{"statusCode":200}'}, responses: {default: {statusCode: 200, responseTemplates: {application/json: &echo '{"path":"$context.resourcePath","verb":"$context.httpMethod","id":"$input.params("id")","q":"$input.params("q")","h":"$input.params("X-H")","user":"$context.identity.user","key":"$context.identity.apiKeyId"}'}}}}}}
  /pets/{id}:
    get:
      parameters: [{name: q, in: query, type: string}, {name: X-H, in: header, type: string}]
      responses: {200: {description: ok}}
      x-amazon-apigateway-integration: *mock
    put: {responses: {200: {description: ok}}, security: [{api_key: []}], x-amazon-apigateway-integration: *mock}
    delete: {parameters: [{name: q, in: query, type: string}], responses: {200: {description: ok}}, security: [{sigv4: []}], x-amazon-apigateway-integration: *mock}
  /teapot: {get: {responses: {418: {description: ok}}, x-amazon-apigateway-integration: {type: mock, requestTemplates: {application/json: '{"statusCode":418}'}, responses: {default: {statusCode: 418, responseTemplates: {application/json: "{\"tea\":1}"}}}}}}
  /any/{proxy+}: {x-amazon-apigateway-any-method: {parameters: [{name: proxy, in: path, required: true, type: string}], responses: {200: {description: ok}}, x-amazon-apigateway-integration: *mock}}
`

// sdkProgram uses the library as its README says; fetch alone is replaced, because the names of
// default endpoints resolve nowhere but in the test.
const sdkProgram = `
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import { apigClientFactory, ApiError } from './apiGateway-js-sdk/apigClient.js';

const ca = fs.readFileSync(process.env.CA);
const fetch = (url, { method, headers, body }) => new Promise((resolve, reject) => {
  const lookup = (host, options, done) => options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const req = https.request(url, { method, headers: { ...headers, ...length }, ca, lookup }, (res) => {
    const chunks = [];
    res.on('data', (c) => chunks.push(c));
    res.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: res.statusCode, headers: res.headers })));
  });
  req.on('error', reject);
  req.end(body);
});

const { ID, SECRET, KEY } = process.env;
const client = apigClientFactory.newClient({ fetch, accessKey: ID, secretKey: SECRET, apiKey: KEY });
const echo = async (call) => { const r = await call; assert.equal(r.status, 200); return r.data; };

assert.equal((await echo(client.rootGet())).path, '/');
const pet = await echo(client.petsIdGet({ id: 'a b/ü', q: "it's *x*&y", 'X-H': 'h' }));
assert.deepEqual([pet.verb, pet.q, pet.h], ['GET', "it's *x*&y", 'h']);
assert.equal(decodeURIComponent(pet.id), 'a b/ü');
assert.notEqual((await echo(client.petsIdPut({ id: 1 }, { some: 'body' }))).key, '');
assert.notEqual((await echo(client.petsIdDelete({ id: "it's (1) ü!", q: ['b', 'a'] }, {}, { queryParams: { 'z!': '~ +' } }))).user, '');
assert.equal((await echo(client.anyProxyPatch({ proxy: 'x/y' }, {}))).path, '/any/{proxy+}');

await assert.rejects(client.teapotGet(), (e) => e instanceof ApiError && e.status === 418 && e.data.tea === 1);
const nobody = apigClientFactory.newClient({ fetch });
await assert.rejects(nobody.petsIdPut({ id: 1 }), (e) => e instanceof ApiError && e.status === 403);
await assert.rejects(nobody.petsIdDelete({ id: 1 }), /must be signed/);
await assert.rejects(nobody.petsIdGet(), /path parameter id is missing/);
const forged = apigClientFactory.newClient({ fetch, accessKey: ID, secretKey: 'wrong' });
await assert.rejects(forged.petsIdDelete({ id: 1 }), (e) => e.status === 403);
console.log('done');
`

// The JavaScript SDK of a stage calls it: parameters, keys and signatures arrive.
func TestJavaScriptSDK(t *testing.T) {
	g := servertest.Start(t, nil)
	c, _ := client(t, g)
	ctx, stage := t.Context(), aws.String("prod")
	api := must(c.ImportRestApi(ctx, &gw.ImportRestApiInput{Body: []byte(sdkDocument)}))(t).Id
	must(c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: stage}))(t)
	key := must(c.CreateApiKey(ctx, &gw.CreateApiKeyInput{Name: aws.String("k"), Enabled: true}))(t)
	plan := must(c.CreateUsagePlan(ctx, &gw.CreateUsagePlanInput{Name: aws.String("p"), ApiStages: []types.ApiStage{{ApiId: api, Stage: stage}}}))(t)
	must(c.CreateUsagePlanKey(ctx, &gw.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)

	out := must(c.GetSdk(ctx, &gw.GetSdkInput{RestApiId: api, StageName: stage, SdkType: aws.String("javascript")}))(t)
	again := must(c.GetSdk(ctx, &gw.GetSdkInput{RestApiId: api, StageName: stage, SdkType: aws.String("javascript")}))(t)
	if !bytes.Equal(out.Body, again.Body) || !strings.HasPrefix(*out.ContentDisposition, `attachment; filename="javascript_`) {
		t.Errorf("two calls, two archives; or %s", *out.ContentDisposition)
	}
	dir := t.TempDir()
	unzip(t, out.Body, dir)
	if err := os.WriteFile(filepath.Join(dir, "main.mjs"), []byte(sdkProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, "main.mjs"))
	cmd.Env = append(os.Environ(), "CA="+server.CABundle(g.Config), "ID="+root.AccessKeyID, "SECRET="+root.SecretAccessKey, "KEY="+*key.Value)
	if text, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(text)) != "done" {
		t.Errorf("node: %v\n%s", err, text)
	}
	for _, kind := range []string{"android", "java", "ruby", "swift", "objectivec"} {
		_, err := c.GetSdk(ctx, &gw.GetSdkInput{RestApiId: api, StageName: stage, SdkType: aws.String(kind)})
		refused(t, err, "SDKs of type "+kind+" are not offered")
	}
	_, err = c.GetSdk(ctx, &gw.GetSdkInput{RestApiId: api, StageName: aws.String("none"), SdkType: aws.String("javascript")})
	refused(t, err, "Invalid stage identifier specified")
}

func unzip(t *testing.T, archive []byte, dir string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
