package managed

import (
	"slices"
	"testing"

	"gatehouse/internal/lang/wafrules"
)

// harmlessTargets are paths and queries that APIs and sites have: names of arguments are
// names of commands, and separators of arguments are separators of commands.
var harmlessTargets = []string{
	"/v1/items?a=1&id=2", "/v1/items?a=1&env=prod&perf=1&ps=20&pwd=x", "/v1/items?q=a&sort=name:asc&date=2026-01-01", "/index.php?page=3&lang=en", "/blog/2026/11/post.php",
	"/v1/items?from=a&order=b&group=c&select=name,id&limit=10", "/v1/items?filter=status%3Dopen%20and%20type%3Dbug", "/files?path=/home/docs&set=1&type=x", "/v1/rooms?a=1&time=12:30&start=/x&find=/y",
	"/v1/items?$filter=Price%20gt%2020&$orderby=Name%20desc&$top=5", "/v1/items?$select=id,name&$expand=parts", "/odata/Products(5)?$count=true", "/v1/items?fields=id,name,parent(id,name)",
	"/search?q=c%2B%2B%20%26%20rust", "/search?q=how+to+use+%22quotes%22+in+a+shell", "/search?q=select+a+gift+from+the+list", "/search?q=1+or+2", "/search?q=O%27Neil+and+Sons", "/search?q=%3C+10+kg", "/search?q=50%25+off",
	"/login?redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&state=af0ifjsldkj&scope=openid%20profile%20email&response_type=code", "/cb?code=4%2F0AX4XfWh&session_state=3..a&prompt=none",
	"/track?utm_source=news&utm_medium=email&utm_campaign=autumn_2026&gclid=Cj0KCQiA", "/map?bbox=-10.5,35.2,4.1,43.9&zoom=6&layers=roads|rail", "/v1/points?lat=48.85&lon=2.35&tz=Europe/Paris", "/v1/at?time=2026-11-23T10:15:00%2B01:00",
	"/img/logo@2x.png?v=3", "/static/js/main.8f3d2c.chunk.js", "/assets/fonts/inter.woff2", "/favicon.ico", "/robots.txt", "/.well-known/openid-configuration", "/.well-known/acme-challenge/tok", "/sitemap.xml", "/manifest.json",
	"/api/v2/users/me", "/users/3fa85f64-5717-4562-b3fc-2c963f66afa6/orders?status=in%20transit", "/graphql?query=%7Bme%7Bname%20email%7D%7D", "/graphql?query=query($id:ID!){user(id:$id){name}}&variables={%22id%22:%221%22}",
	"/v1/items?ids[]=1&ids[]=2&page[size]=10&page[number]=2&filter[name]=ann", "/v1/items?sort=-created,+name", "/v1/items?range=10..20", "/v1/compare/main...feature", "/repos/a/b/compare/v1.2.0...v1.3.0",
	"/v1/contacts?email=ann%2Bnews@example.com&phone=%2B4930123456", "/v1/prices?currency=EUR&min=10&max=%E2%82%AC20", "/v1/tokens/0x52908400098527886E0F7030069857D2E4169EE7", "/v1/tokens?addr=0xde709f2102306220921060314715629080e2fb77",
	"/docs/getting-started/install", "/docs/api/String.html", "/download/setup-1.2.3.tar.gz", "/download/report%20(final).pdf", "/v1/exec-summary", "/v1/system/status", "/v1/eval/results", "/v1/process/42", "/v1/kill-switch",
	"/shop?color=red;size=L", "/matrix;a=1;b=2/x", "/v1/items?callback=cb_123&_=1700000000000", "/v1/calc?expr=2*(3%2B4)", "/v1/items?sel=all&cat=books&more=1&sleep=5&echo=1&w=3", "/v1/tests?node=a&test=b&host=c&ping=d&ssh=e",
	"/v1/alerts?name=cpu%20%3E%2090%25", "/v1/jobs?cron=*/5+*+*+*+*", "/v1/regex?p=%5Ba-z%5D%2B", "/v1/glob?p=src/**/*.go", "/v1/time?tz=-05:00", "/v1/x?json=%7B%22a%22%3A%5B1%2C2%5D%2C%22b%22%3Anull%7D",
	"/v1/x?union=yes&drop=no&update=2026", "/v1/x?set=a&where=b&like=c&in=d", "/v1/x?type=.pdf&dir=asc&net=10&reg=eu&sc=1&cmd=list", "/v1/x?q=if+x+then+y&for=me", "/v1/x?a=b&&c=d", "/v1/x?a=%2Fusr%2Fshare", "/v1/x?next=/orders/5", "/v1/x?lang=c%23",
}

// harmlessHeaders are what browsers and programs send.
var harmlessHeaders = []string{
	"Cookie: sid=abc; theme=dark; _ga=GA1.2.1033501218.1368477899; ps=1; id=5; cat=x", "Cookie: consent={%22ads%22:false%2C%22stats%22:true}; lang=en-US", "Referer: https://www.example.com/search?q=a&id=3&env=x#top", "Referer: https://www.example.com/index.php?id=5",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "If-None-Match: W/\"33a64df551425fcc55e4d42a148795d9f25f89d4\"", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l",
	"Sec-Ch-Ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"", "Content-Disposition: attachment; filename=\"report.pdf\"", "X-Request-Id: 7f3c1b2a", "Range: bytes=0-1023", "Cache-Control: max-age=0, no-cache", "Via: 1.1 vegur, 1.1 proxy (squid/5.7)",
	"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"User-Agent: okhttp/4.12.0", "User-Agent: aws-sdk-go-v2/1.32.0 os/linux lang/go#1.26 md/GOOS#linux", "User-Agent: Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.041)", "X-Filename: holiday photo (1).jpg", "X-File-Name: main.py", "X-Filename: package.json", "X-Filename: build.log", "X-Filename: dump.sql", "Slug: a-first-post", "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}

// TestHarmlessRequestsPass holds that rules on whole queries, paths and headers leave what is
// ordinary alone.
func TestHarmlessRequestsPass(t *testing.T) {
	acl := everything(t)
	for _, target := range harmlessTargets {
		if got := caughtBy(t, acl, get(target)); got != nil {
			t.Errorf("%s: caught by %s: %s", target, got, matched(t, acl, get(target)))
		}
	}
	for _, h := range harmlessHeaders {
		r := get("/v1/items")
		if len(h) > 11 && h[:11] == "User-Agent:" {
			r.Header = slices.DeleteFunc(r.Header, func(have wafrules.Header) bool { return have.Name == "User-Agent" })
		}
		more := newRequest("GET", "/", "", h)
		r.Header = append(r.Header, more.Header[len(more.Header)-1])
		if got := caughtBy(t, acl, r); got != nil {
			t.Errorf("%s: caught by %s: %s", h, got, matched(t, acl, r))
		}
	}
}

// matched returns the bytes that made rules match.
func matched(t *testing.T, acl *wafrules.ACL, r *wafrules.Request) (list []string) {
	t.Helper()
	v, err := acl.Evaluate(r, new(wafrules.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range v.Matches {
		list = append(list, m.Value[m.Start:m.End])
	}
	return list
}
