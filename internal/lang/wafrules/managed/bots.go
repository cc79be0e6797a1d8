package managed

import (
	"maps"
	"regexp"
	"slices"

	"gatehouse/internal/lang/wafrules"
)

// A botCategory is a kind of robot that introduces itself in its User-Agent header.
type botCategory struct {
	rule, label string
	agents      string
}

// botCategories lists robots by what they say they are. Whether they are it is told by lists
// of addresses that the operator supplies; without one, nobody is verified.
var botCategories = []botCategory{
	{"CategoryAdvertising", "advertising", `adsbot-google mediapartners-google adidxbot criteobot amazonadbot proximic taboolabot grapeshot`},
	{"CategoryArchiver", "archiver", `archive\.org_bot ia_archiver heritrix wayback arquivo-web-crawler`},
	{"CategoryContentFetcher", "content_fetcher", `feedfetcher-google feedly feedbin newsblur tiny\x20tiny\x20rss googlemessages flipboardproxy pocketparser upday inoreader`},
	{"CategoryEmailClient", "email_client", `yahoomailproxy googleimageproxy outlook-express thunderbird`},
	{"CategoryHttpLibrary", "http_library", `curl/ wget/ python-requests python-urllib python-httpx aiohttp go-http-client java/ okhttp apache-httpclient libwww-perl lwp:: axios/ node-fetch guzzlehttp http_request2 winhttp restsharp postmanruntime insomnia httpie faraday typhoeus reactor-netty mechanize undici`},
	{"CategoryLinkChecker", "link_checker", `w3c-checklink linkchecker dead\x20link xenu\x20link screaming\x20frog brokenlinkcheck`},
	{"CategoryMiscellaneous", "miscellaneous", `dataprovider ccbot barkrowler zoominfobot domainstatsbot netcraft`},
	{"CategoryMonitoring", "monitoring", `uptimerobot pingdom statuscake site24x7 newrelicpinger datadog/synthetics amazon-route53-health-check betteruptime checkly hetrixtools nagios zabbix catchpoint`},
	{"CategoryPagePreview", "page_preview", `slackbot-linkexpanding slack-imgproxy discordbot telegrambot whatsapp/ skypeuripreview embedly iframely google-pagerenderer`},
	{"CategoryScrapingFramework", "scraping_framework", `scrapy httrack colly/ apify crawlee nutch/ grub-client webcopier teleport\x20pro offline\x20explorer`},
	{"CategorySearchEngine", "search_engine", `googlebot bingbot slurp duckduckbot baiduspider yandexbot yandeximages sogou exabot qwantbot seznambot naverbot yeti/ applebot petalbot mojeekbot`},
	{"CategorySecurity", "security", `censysinspect shodan expanse internetmeasurement zgrab nuclei qualys detectify securitytrails netsystemsresearch criminalip`},
	{"CategorySeo", "seo", `ahrefsbot semrushbot mj12bot dotbot rogerbot serpstatbot blexbot sistrix seokicks siteauditbot dataforseobot seobilitybot`},
	{"CategorySocialMedia", "social_media", `facebookexternalhit facebookcatalog twitterbot linkedinbot pinterestbot pinterest/ redditbot snapchat tumblr vkshare`},
	{"CategoryWebhooks", "webhooks", `github-hookshot stripe/ gitlab/ paypal\x20ipn zapier hookdeck bitbucket-webhooks shopify-captain-hook`},
	{"CategoryAI", "ai", `gptbot chatgpt-user oai-searchbot claudebot claude-web claude-user anthropic-ai perplexitybot perplexity-user google-extended bytespider amazonbot cohere-ai diffbot meta-externalagent youbot mistralai-user ai2bot timpibot`},
}

// Bots are the networks of robots, by a word of their User-Agent headers in lower case.
type Bots struct{ Networks map[string]*wafrules.IPSet }

// verified is true of robots that come from where they should; nil when none can.
func (b *Bots) verified() *wafrules.Statement {
	if b == nil || len(b.Networks) == 0 {
		return nil
	}
	var any []wafrules.Statement
	for _, word := range slices.Sorted(maps.Keys(b.Networks)) {
		any = append(any, wafrules.Statement{And: &wafrules.ListStatement{Statements: []wafrules.Statement{
			patterns([]string{`(?i)` + regexp.QuoteMeta(word)}, single("user-agent"), plain), {AnyAddress: &wafrules.AnyAddressStatement{Set: b.Networks[word]}}}}})
	}
	if len(any) == 1 {
		return &any[0]
	}
	return &wafrules.Statement{Or: &wafrules.ListStatement{Statements: any}}
}

// botNamespace begins the labels of Bot Control.
const botNamespace = "bot-control"

// botControl is the COMMON level. AWS's TARGETED level needs tokens and scripts of the
// service; a rule that asks for it is refused.
func botControl(bots *Bots) source {
	var rules []wafrules.Rule
	agent := single("user-agent")
	proof := bots.verified()
	for _, c := range botCategories {
		label := "bot:category:" + c.label
		claims := patterns([]string{`(?i)(?:` + words(c.agents) + `)`}, agent, plain)
		// Robots of CategoryAI are blocked whoever they are.
		rules = append(rules, rule(c.rule, label, wafrules.Statement{Claim: &wafrules.ClaimStatement{Claim: &claims, Proof: proof, Always: c.rule == "CategoryAI",
			Proven: []string{label, "bot:verified"}, Unproven: []string{"bot:unverified"}}}))
	}
	unless := func(s wafrules.Statement) wafrules.Statement {
		return wafrules.Statement{And: &wafrules.ListStatement{Statements: []wafrules.Statement{s,
			{Not: &wafrules.NotStatement{Statement: &wafrules.Statement{LabelMatch: &wafrules.LabelMatchStatement{Scope: "LABEL", Key: "awswaf:managed:aws:" + botNamespace + ":bot:verified"}}}}}}}
	}
	browser := patterns([]string{`(?i)^mozilla/|^opera/`}, agent, plain)
	rules = append(rules,
		rule("SignalAutomatedBrowser", "signal:automated_browser", unless(patterns([]string{`(?i)headlesschrome|phantomjs|slimerjs|electron/|puppeteer|playwright|selenium|webdriver|cypress/`}, agent, plain))),
		rule("SignalNonBrowserUserAgent", "signal:non_browser_user_agent", unless(wafrules.Statement{Not: &wafrules.NotStatement{Statement: &browser}})))
	labels := []string{"bot:unverified"}
	if proof != nil {
		labels = append(labels, "bot:verified")
	}
	return source{name: "AWSManagedRulesBotControlRuleSet", namespace: botNamespace, capacity: 50, rules: rules, labels: labels,
		description: "Provides protection against automated bots that can consume excess resources, skew business metrics, cause downtime, or perform malicious activities. Robots are recognised by their User-Agent header, and verified by lists of networks that the operator supplies."}
}

// sources lists the groups that are address lists.
func (l Lists) sources() []source {
	addresses := func(rules []wafrules.Rule, name string, set *wafrules.IPSet) []wafrules.Rule {
		if set == nil {
			return rules
		}
		return append(rules, rule(name, name, wafrules.Statement{AnyAddress: &wafrules.AnyAddressStatement{Set: set}}))
	}
	reputation := addresses(nil, "AWSManagedIPReputationList", l.Reputation)
	reputation = addresses(reputation, "AWSManagedReconnaissanceList", l.Reconnaissance)
	if reputation = addresses(reputation, "AWSManagedIPDDoSList", l.DDoS); l.DDoS != nil {
		reputation[len(reputation)-1].Action = &wafrules.RuleAction{Count: &wafrules.CustomAction{}}
	}
	anonymous := addresses(nil, "AnonymousIPList", l.Anonymous)
	anonymous = addresses(anonymous, "HostingProviderIPList", l.Hosting)
	var all []source
	if reputation != nil {
		all = append(all, source{name: "AWSManagedRulesAmazonIpReputationList", namespace: "amazon-ip-list", capacity: 25, unversioned: true, rules: reputation,
			description: "This group contains rules that are based on lists of addresses that the operator supplies. This is useful if you would like to block sources associated with bots or other threats."})
	}
	if anonymous != nil {
		all = append(all, source{name: "AWSManagedRulesAnonymousIpList", namespace: "anonymous-ip-list", capacity: 50, unversioned: true, rules: anonymous,
			description: "This group contains rules that allow you to block requests from services that allow obfuscation of viewer identity, by lists of addresses that the operator supplies."})
	}
	return all
}
