package managed

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules"
)

// core is the common rule set: what no application wants.
func core() source {
	bodyText := &wafrules.FieldToMatch{Body: &wafrules.BodyField{OversizeHandling: "CONTINUE"}}
	noAgent := wafrules.Statement{Not: &wafrules.NotStatement{Statement: ptr(longer(single("user-agent"), 0))}}
	rules := []wafrules.Rule{
		rule("NoUserAgent_HEADER", "NoUserAgent_Header", noAgent),
		rule("UserAgent_BadBots_HEADER", "BadBots_Header", anyOf(patterns(badBots, single("user-agent"), plain), patterns(badAgents, single("user-agent"), decoded))),
		rule("SizeRestrictions_QUERYSTRING", "SizeRestrictions_QueryString", longer(queryString.field, 2048)),
		rule("SizeRestrictions_Cookie_HEADER", "SizeRestrictions_Cookie_Header", longer(single("cookie"), 10240)),
		rule("SizeRestrictions_BODY", "SizeRestrictions_Body", longer(bodyText, 8192)),
		rule("SizeRestrictions_URIPATH", "SizeRestrictions_URIPath", longer(uriPath.field, 1024)),
	}
	rules = append(rules, family("EC2MetaDataSSRF", in(metadataService, decoded), body, cookie, uriPath, queryArguments)...)
	rules = append(rules, family("GenericLFI", in(localFiles, decoded), queryArguments, uriPath, body)...)
	rules = append(rules, family("RestrictedExtensions", in(restrictedExtensions, decoded), uriPath, queryArguments)...)
	rules = append(rules, family("GenericRFI", in(remoteFiles, decoded), queryArguments, body, uriPath)...)
	scripting := family("CrossSiteScripting", crossSiteScripting, cookie, queryArguments, body, uriPath)
	// A line feed in the name of an argument is for an answer that repeats it in its header.
	arguments := scripting[1].Statement.Or
	arguments.Statements = append(arguments.Statements, patterns([]string{`(?i)(?:^|[&?;])[^=&]{0,80}%0[ad]`}, queryString.field, plain))
	rules = append(rules, scripting...)
	return source{name: "AWSManagedRulesCommonRuleSet", namespace: "core-rule-set", capacity: 700, rules: rules,
		description: "Contains rules that are generally applicable to web applications. This provides protection against exploitation of a wide range of vulnerabilities, including those described in OWASP publications."}
}

func ptr[T any](v T) *T { return &v }

var badBots = []string{
	`(?i)\b(?:` + words(`nessus nmap nikto sqlmap masscan zgrab acunetix netsparker dirbuster gobuster wpscan w3af openvas havij
		arachni nuclei ffuf feroxbuster hydra whatweb jorgee zmeu webinspect skipfish wfuzz dirsearch commix brutus paros
		joomscan jaeles vega/ grendel-scan appscan webshag sitelockspider blackwidow pangolin cgichk morfeus
		absinthe bsqlbf sqlninja metis/ pmafind uil2pn prowebwalker webtrends fimap internetspecial springspider
		toata dragostea datacha0s dav\.pm dominohunter fhscan mysqloit n-stealth netlab360 sysscan webbandit wprecon
		zaproxy cybeye gootkit golang_scan kiterunner xsser hexometer detectify qualys rapid7 burpcollaborator`) + `)`,
}

// badAgents are attacks by way of whoever looks at a list of user agents.
var badAgents = []string{
	`(?i)user-agent: `, `(?i)<script`, `(?i)\$\{jndi`, `\(\) ?\{`, `<\?`, `(?i)!entity`, `(?i)javascript:`, `(?i)[\s;("']on(?:` + words(handlers) + `)[a-z]{0,40}\s*=`, `(?i)<[a-z]{1,10}:?script|\bxmlns:`,
}

// metadataService lists ways to write the address of the cloud's metadata service.
var metadataService = []string{
	`169\.254\.(?:169\.254|170\.2)`, `(?i)\b0x?a9\.?(?:0x)?fe\.?(?:0x)?a9\.?(?:0x)?fe\b`, `2852039166`, `(?i)0xa9fea9fe`,
	`0*251\.0*376\.0*251\.0*376`, `025177524776`, `(?i)a9fe:a9fe`, `(?i)fd00:ec2::254`,
	`(?i)\bmetadata\.(?:google\.internal|packet\.net|tencentyun\.com|platformequinix\.com)`, `(?i)/latest/(?:meta-data|user-data|dynamic/instance)`, `(?i)//(?:instance-data|metadata)(?:[/:]|$)`,
	`100\.100\.100\.200`, `192\.0\.0\.192`, `(?i)/computemetadata/v1`, `(?i)/metadata/(?:instance|identity)`, `(?i)/openstack/latest`,
	// Names of the machine itself and of its cluster.
	`(?i)^\s*(?:https?:)?/{0,3}(?:localhost[46]?|localhost\.localdomain|ip6?v?6?-localhost|ip6-loopback|localtest\.me|lvh\.me|vcap\.me|kubernetes(?:\.[\w.]{1,40})?|(?:[\w-]{1,40}\.){1,4}(?:docker\.internal|svc\.cluster\.local)|[\w-]{1,40}\.docker\.internal)[:/]`,
	`(?i)^\s*/{0,2}(?:ip6-localhost|ip6-loopback|localhost\.localdomain|localtest\.me|lvh\.me|vcap\.me|(?:host|gateway|kubernetes)\.docker\.internal|kubernetes\.default(?:\.svc)?(?:\.cluster\.local)?|(?:[\w-]{1,40}\.){1,4}svc\.cluster\.local)(?:[?#]|$)`, `(?i)^\s*/{0,2}localhost[46]?(?:\.localdomain\d?)?[?#]`,
	`(?i)https?://(?:[\w.-]{1,40}\.)?(?:localhost[46]?|localtest\.me|lvh\.me|docker\.internal|svc\.cluster\.local)(?:[:/?#]|$)`,
	`(?i)169\.254\.169\.254\.(?:nip|xip|sslip)\.io`, `(?i)\b(?:nip|xip|sslip)\.io\b`, `(?i)^\s*(?:https?:)?/{0,3}(?:127(?:\.\d{1,3}){1,3}|0\.0\.0\.0|\[::(?:1|ffff:[\w.:]{1,20})?\]|2130706433|0x7f0{0,5}1|0177(?:\.0{1,3}){1,2}\.0{0,2}1|loopback|broadcasthost|ip6-all(?:nodes|routers)|metadata)[:/]`, `(?i)/opc/v[12]/`,
}

// numberedMarks is "../" with some of its characters written as hexadecimal numbers.
const numberedMarks = `(?i)0x(?:2f|5c)(?:0x2e|%2e|\.){1,2}|(?:0x2e|%2e|\.)0x2e(?:0x2f|0x5c|%2f|%5c|[\\/])|0x2e\.[\\/%0]|\.{2}0x(?:2f|5c)`

// localFiles are traversals and the files that they are after.
var localFiles = []string{
	numberedMarks, `(?:^|[\\/;:=?&,"'])\.{2,3}[\\/;]`, `\.\.[\\/]+\.\.[\\/]`, `[\\/;]\.{2}$`, `(?i)\.%(?:2e|00|25)`, `(?i)(?:%c0%ae|\xc0\xae|\xc0\x2e){2}`, `\xc0[\xa2\xa7\xae\xaf\xbc]`, `\xc1\x9c`, `\xe0\x80[\xa2\xa7\xae\xaf\xbc]`, // marks that are longer than UTF-8 has them

	`(?i)(?:^|[\\/])(?:\.|[\w.-]{0,20}\.)?(?:etc[\\/]+(?:passwd|shadow|group|gshadow|hosts|issue|motd|fstab|crontab|sudoers|ssh[\\/]|mysql|apache|nginx|httpd|php|my\.cnf|resolv\.conf|network|sysconfig|profile|bash|init\.d|os-release|security|environment|hostname|mtab|inetd|services|pam|ssl))`,
	`(?i)(?:^|[\\/])proc[\\/]+(?:self|\d+|version|cpuinfo|meminfo|mounts|net|cmdline|stat|sched_debug|kcore|filesystems|interrupts|devices|modules|partitions|iomem|ioports|kallsyms|keys|loadavg|locks|slabinfo|swaps|sys|uptime|vmstat)\b`, `(?i)(?:^|[\\/])sys[\\/](?:class|kernel|devices|firmware|block|bus|fs|module)\b`,
	`(?i)(?:^|[\\/])\.\w{2,30}(?:ignore|rc|_?history|_?profile|credentials|secrets?)$`, `(?i)[\\/]\.\w{2,30}[\\/][\w.-]{0,40}(?:secrets?|credentials?|config|settings|guidelines|rules|\.(?:env|pem|key|ya?ml|toml|ini|md))\b`,
	`(?i)(?:^|[\\/])\.(?:claude|cursor|continue|windsurf|aider|codeium|copilot|gemini|codex|roo|cline)(?:[\\/.]|$)`, `(?i)(?:^|[\\/])\.?(?:mcp|claude_desktop_config|mcp_config)\.json$`, `(?i)(?:^|[\\/])(?:claude|agents|gemini|codex|copilot-instructions|conventions|\.\w{2,20}rules)\.(?:local\.)?mdc?$`, `(?i)(?:^|[\\/])\.(?:cursor|windsurf|cline|roo|clinerules|goose|kiro|continue)(?:rules|hints|ignore|modes)`,
	`(?i)(?:^|[\\/])\.(?:openai|anthropic|ollama|huggingface|chatgpt|llm|mcp|opencode|amazonq|tabnine|sourcegraph|kiro|goose|qwen)(?:[\\/.]|$)`, `(?i)(?:^|[\\/])etc[\\/]+\w*[\[?*]`,
	`(?i)[\\/]var[\\/]+(?:log|mail|run|spool|www|lib|adm)[\\/]`, `(?i)\.(?:ssh|aws|docker|kube|gnupg|subversion|gem)[\\/]+\w`,
	`(?i)(?:^|[\\/])\.(?:bash_history|bashrc|bash_profile|profile|zshrc|htaccess|htpasswd|mysql_history|netrc|npmrc|pgpass|git[\\/]|gitconfig|svn[\\/]|hg[\\/]|env\b|viminfo|dockerenv|ds_store)`,
	`(?i)\b(?:id_rsa|id_dsa|id_ecdsa|id_ed25519|authorized_keys|known_hosts)\b`,
	`(?i)\b(?:boot|win|system|php|my|desktop)\.ini\b`, `(?i)[\\/](?:windows|winnt)[\\/]+(?:system32|repair|debug|panther|win\.ini|system)`,
	`(?i)[\\/]inetpub[\\/]`, `(?i)\bweb\.config\b`, `(?i)\bwp-config\.(?:php|bak|old|txt)`, `(?i)[\\/]?(?:web|meta)-inf[\\/]`,
	`(?i)\bfile:/{2,3}(?:[a-z]:|etc|proc|var|home|root|usr|windows|localhost|\.)`, `(?i)\b(?:php|phar|zip|data|expect|glob|ogg|rar|ssh2|compress\.zlib|compress\.bzip2)://`,
	`(?i)\b(?:gopher|dict|ldap|jar|tftp|sftp|netdoc)://`, `(?i)[\\/](?:etc|proc|root|usr|sys|dev|opt|tmp)[\\/]+[\w.]+%00`,
}

var restrictedExtensions = []string{
	`(?i)\.(?:` + words(`log ini bak backup old orig swp sql(?:\.\w{2,4})? conf cfg config inc db dbf dbs mdb sqlite key pem pfx p12 csr pwd
		cmd bat dll htr htw ida idc idq htaccess htpasswd lic lnk mdf ldf axd asa asax ascx cdx csproj licx pdb resx vbproj vbs
		vsdisco webinfo xsx rdb`) + `)/?$`,
	`(?i)\.(?:php|asp|aspx|jsp|js|html?|txt|xml|json|ya?ml|rb|py|pl)(?:~|\.bak|\.old|\.orig|\.swp|\.save|\.copy|\.tmp)$`,
}

// remoteFiles are URLs whose host is an IPv4 address, however it is written.
var remoteFiles = []string{
	`(?i)\b(?:https?|ftps?|file|sftp):/{0,3}(?:[^@/\s]{1,60}@)?\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`,
	`(?i)^\s*(?:file|ftps?|https?)://[^\s"'<>]{1,200}\?+\s*$`,
	`(?i)\bunix:[^|\s]{0,900}\|\w{2,10}:`, // a socket before the address, for a proxy
	`(?i)\b(?:https?|ftps?)://(?:0x[0-9a-f]{8}|\d{8,10})(?:[/:?]|$)`,
	`(?i)\b(?:file|ftps?|https?)://\[?[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}\]?`, `(?i)^\s*(?:file|ftps?|https?)\?+$`,
}

// crossSiteScripting is the detector, and what it does not read as HTML.
func crossSiteScripting(p part) wafrules.Statement {
	return anyOf(
		wafrules.Statement{XssMatch: &wafrules.XssMatchStatement{FieldToMatch: p.field, TextTransformations: decoded}},
		patterns(scripts, p.field, decoded),
		patterns(slices.Concat(nodeRCE, codedScripts), p.field, unescaped), // scripts for a server
	)
}

// handlers begin the names of attributes that hold scripts, after "on". Words such as once,
// only and online do not begin so.
const handlers = `abort after animation app auxclick before begin blur bounce cancel canplay change click close context copy cuechange cut dblclick device drag drop duration emptied end enter error exit finish focus
	form fullscreen gamepad gesture gotpointer hashchange input invalid key language load lostpointer message mouse open\b page paste pause play pointer popstate progress ratechange readystate repeat reset resize scroll search
	seek select show staged? start storage submit suspend timeupdate toggle touch transition unhandled unload volume wait webkit wheel`

// spaced writes a word with something between all its letters that browsers, or the
// applications before them, leave out. So many different bytes are not spelled out as literals.
func spaced(word string) string {
	return strings.Join(strings.Split(word, ""), `[\s\v/+"'\x00\xa0]{1,9}`)
}

// spacedTags are the beginnings of elements that run scripts, letter by letter.
func spacedTags() string {
	var tags []string
	for _, t := range strings.Fields("script iframe frame form style object embed applet svg math img image link meta base body input video audio isindex") {
		tags = append(tags, spaced(t))
	}
	return `(?i)<(?:` + strings.Join(tags, "|") + `)`
}

var scripts = []string{
	spacedTags(), `(?i)v(?:[\t\n\r\x00]b|b[\t\n\r\x00])[\t\n\r\x00]{0,9}s[\t\n\r\x00]{0,9}c[\t\n\r\x00]{0,9}r[\t\n\r\x00]{0,9}i[\t\n\r\x00]{0,9}p[\t\n\r\x00]{0,9}t\s{0,9}:`,
	`(?i)<\s*/?\s*(?:script|iframe|frameset|embed|object|applet|meta\s|base\s|isindex|bgsound|svg[\s/]|math[\s/>]|animate|foreignobject)`,
	`(?i)<[^>]{1,200}[\s"'/]on[a-z]{3,25}\s*=`, `(?i)["'\s/;]on(?:` + words(handlers) + `)[a-z]{0,40}\s*=\s*["'` + "`" + `]?\s*[\w($]`, `(?i)^\s*on(?:` + words(handlers) + `)[a-z]{0,40}\s*=\s*$`,
	`(?i)java\s*script\s*:`, `(?i)jav\s+ascript\s*:`, `(?i)j\s*a\s*v\s*a\s*script\s*:`, `(?i)vbscript\s*:`, `(?i)\bdata:text/(?:html|javascript|xml)`,
	`(?i)\b(?:document\s*\.\s*(?:cookie|write(?:ln)?|domain|location)|window\s*\.\s*(?:location|name|open|parent|top|alert)|location\s*\.\s*(?:href|hash|replace))\b`,
	`(?i)\b(?:alert|confirm|prompt|eval|settimeout|setinterval|atob|fetch|import)\s*(?:\(|` + "`" + `)\s*(?:['"` + "`" + `/\d\w]|document|window|string\.|this)`,
	`(?i)\b(?:innerhtml|outerhtml|insertadjacenthtml|fromcharcode|xmlhttprequest|string\.fromcharcode)\b`,
	`(?i)<!(?:doctype|entity|element|\[cdata\[)`, `(?i)<\?(?:xml-stylesheet|import)`, `(?i)\bstyle\s*=[^>]{0,100}(?:expression|behavior|-moz-binding|url\s*\(\s*['"]?javascript)`,
	`(?i)\bxmlns:xi\b|<xi:include`, `(?i)!entity\s+%?\s*\w+\s+(?:system|public|["'])`, `(?i)!entity\s*%\s*\w+\s+system`, `(?i)\burl\s?\(\s*javascript`, `(?i)\bvmlframe\b`, `(?i)["']\s?(?:formaction|srcdoc|xlink:href)\s*=`, `(?i)["']on[a-z]{3,45}\s*=`,
	`(?i)\bdocument\s*\.\s*(?:queryselector|body|getelement|createelement|forms|links|images|documentelement|referrer|url)`, `(?i)\b(?:alert|atob|btoa|prompt|confirm|eval|new function)\s*\(\s*\)`, `(?i)\+adw-`, `(?i)\bdocument(?:\s|/\*[^*]{0,40}\*/){0,9}\.(?:\s|/\*[^*]{0,40}\*/){0,9}(?:cookie|write|domain|location)\b`, `(?i)[\r\n]\s{0,4}http/\d(?:\.\d)? \d{3}`, `(?i)(?:^|[\r\n])\s{0,4}(?:get|post|head|put|delete|options|connect|trace|patch)\s{1,4}\S{1,200}\s{1,4}http/\d`, `!!\[\]|\(!\[\]|[+(]\[\]\)?\[`, `(?i)\bdata:\s?,?\s?<`, `(?i)\\u00(?:[46][1-9a-f]|[57][0-9a])`, `[\r\n]\s*(?i:set-cookie|transfer-encoding)\s*:`, `\xbc/?script\xbe`, `(?i)\\x(?:bc|d0\\xbc)/?script\\x`, `(?i)\xd0?\xbc/?script\xd0?\xbe`, `<!--#(?:set|echo|exec|include|printenv|config)`, `(?i)\bimportimplementation\b`, `(?i)\b(?:reflect|array|object|sort|map|filter|foreach|find)\s*\.\s*(?:call|apply|construct)\s?[(` + "`" + `]`,
	`(?i)@import\b`, `(?i)\{\{.{0,200}(?:constructor|\$eval|\$on|__proto__|alert|prototype)`, `(?i)\bconstructor\s*(?:\[|\(|\.\w).{0,30}(?:constructor|prototype|\()`,
	`(?i)\[\s*['"](?:constructor|alert|eval|cookie)['"]\s*\]`, `(?:!\[\]|!!\[\]|\+\[\]|\[\]\[).{0,20}(?:\+\[\]|!\[\]|\[\])`,
	`(?i)\b(?:self|document|window|globalthis|frames|top|parent|this)(?:/\*[^*]{0,40}\*/){1,4}\s?[\[.]`, `(?i)\bdocument\[|\bglobalthis\[|\bframes\[|\bself\[|\bthis\[['"]|\btop\[['"]|\bparent\[['"]|\bwindow\[`, `(?i)<(?:img|video|audio|input|body|form|link|details|marquee|button|textarea|select|style|template|a)\b[^>]{0,200}(?:src|href|action|formaction|background|poster|srcdoc|xlink:href)\s*=\s*["']?\s*(?:javascript|data|vbscript|x\b)`,
}
