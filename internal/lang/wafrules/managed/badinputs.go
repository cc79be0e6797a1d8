package managed

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules"
)

func knownBadInputs() source {
	var rules []wafrules.Rule
	rules = append(rules, family("JavaDeserializationRCE", in(slices.Concat(javaUploads, javaRCE), decoded), header)...)
	rules = append(rules, family("JavaDeserializationRCE", in(javaRCE, decoded), body, uriPath, queryString)...)
	rules = append(rules,
		rule("Host_localhost_HEADER", "Host_Localhost_Header", patterns([]string{`(?i)^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)(?::\d+)?$`}, single("host"), plain)),
		rule("PROPFIND_METHOD", "Propfind_Method", patterns([]string{`(?i)^propfind$`}, &wafrules.FieldToMatch{Method: &wafrules.Empty{}}, plain)),
		rule("ExploitablePaths_URIPATH", "ExploitablePaths_URIPath", anyOf(patterns(exploitablePaths, uriPath.field, decoded), patterns([]string{`(?i)%(?:25)*0[0ad]`}, uriPath.field, plain))),
	)
	rules = append(rules, family("Log4JRCE", in(log4j, decoded), header, queryString, body, uriPath)...)
	rules = append(rules, rule("ReactJSRCE_BODY", "ReactJSRCE_Body", patterns(nodeRCE, body.field, unescaped)))
	return source{name: "AWSManagedRulesKnownBadInputsRuleSet", namespace: "known-bad-inputs", capacity: 200, rules: rules,
		description: "Contains rules that allow you to block request patterns that are known to be invalid and are associated with exploitation or discovery of vulnerabilities. This can help reduce the risk of a malicious actor discovering a vulnerable application."}
}

// javaUploads are names of files that a server runs, where a name of a file is all of a value.
var javaUploads = []string{`(?i)^[\w./\\ -]{0,80}\.\s?(?:jsp[xfa]?|js[wv]|jhtml|jspa|tagx?|war|ear)[.\s]*$`}

// javaRCE are serialized objects, class loaders and expression languages.
var javaRCE = []string{
	`rO0AB[QXY]`, `KztAAU`, `Cs7QAF`, `H4sIAAAAAAAA`, `(?i)aced0005`, `\xac\xed\x00?\x05`, `(?i)\bxrzt\b.{0,9}AAU`,
	`(?i)\bjava\.(?:lang\.(?:runtime|processbuilder|class|system|thread|reflect|object|string(?:bu\w+)?\b|process|integer|number|math|character|boolean|double|float|short|byte|long|throwable|enum|package|module)|io\.\w|net\.url|util\.(?:scanner|arrays|concurrent)|beans\.|rmi\.)`,
	`(?i)\b(?:processbuilder|unmarshaller|base64data|java\.runtime)\b`, `(?i)\bgetruntime\s*\(?\s*\)?`, `(?i)\bclass\.module\.classloader`, `(?i)\bclass\.classloader\b`, `(?i)\bclassloader\.(?:resources|urls|parent)`,
	`(?i)\bspring\.cloud\.function\.routing-expression`, `(?i)#(?:context|_memberaccess|application|session|request|attr|parameters|_classresolver|root)\b\s*[\[.=@]`,
	`(?i)\bxwork\.(?:methodaccessor|denymethodexecution)`, `(?i)@(?:java|ognl|org\.apache)\.[\w.]{1,80}@`, `(?i)\borg\.apache\.(?:commons\.(?:collections|beanutils|fileupload|configuration|io)|struts2|xalan|wicket)`, `(?i)\borg\.apache\.(?:commons|struts2?|xalan|wicket|catalina|velocity)\b`,
	`(?i)\bcom\.(?:sun\.(?:rowset|org\.apache|jndi)|opensymphony\.xwork|mchange|alibaba\.fastjson|caucho)`, `(?i)\b(?:javax\.(?:naming|script|el|management|swing)|org\.(?:springframework|codehaus\.groovy|hibernate|mozilla\.javascript|jboss|python|omg)|net\.sf\.(?:json|ehcache))\.[\w.]{2,}`,
	`(?i)filename="?[^"\r\n]{0,100}\.(?:jspx?|war|jar)\b`,
	`(?i)\bt\s*\(\s*(?:java|org|com)\.[\w.]{2,}\s*\)`, `(?i)\b(?:freemarker\.template\.utility\.execute|scriptenginemanager|invokerttransformer|invokertransformer|chainedtransformer|constanttransformer|instantiatetransformer|beancomparator|templatesimpl)\b`,
	`(?i)\bclonetransformer|forclosure|instantiatefactory|prototypeclonefactory|prototypeserializationfactory|whileclosure|getproperty\b.{0,20}\bexec\b`,
}

// log4j are look-ups, however nested.
var log4j = []string{
	`(?i)\$\s?\{\s?j`, `(?i)\$\{[^}]{0,80}\$\{`, `(?i)\$\{(?:lower|upper|env|sys|java|date|ctx|main|bundle|docker|k8s|base64|log4j|jvmrunargs|web|spring|sd|marker|event|map|::?-)\s?:?`,
	`(?i)\bjndi:(?:ldaps?|rmi|dns|iiop|corba|nds|nis|https?)`, `(?i)(?:\$|%24|&dollar;?)(?:\{|%7b|&lbrace;?|&lcub;?)[^\n]{0,60}(?:jndi|ldap|rmi:|dns:)`,
}

// nodeRCE are unsafe deserialization and prototype pollution in JavaScript servers.
var nodeRCE = []string{
	`(?i)\bconsole\s*\.\s*(?:log|info|error|debug|warn|trace|dir)\s*(?:\(|\.\s*(?:call|apply))`, `(?i)\bmodule\s*\.\s*exports\s*=`, `(?i)\bprocess\s*\[\s*['"]`, `(?i)\b(?:process|kernel|io)\s*\.\s*(?:spawn|popen|exec)\s*\(`,
	`(?i)\bwhile\s*\((?:\s|/\*[^*]{0,40}\*/)*(?:[!+~-]{1,4}\s*[\w"'` + "`" + `\[{(]|\+?\d+\s*[)=<>]|true\b|this\b|infinity\b|[^\w\s)$(*./-])`, `(?i)\bfor\s*\(\s*;\s*;\s*\)`, `XyQkTkRfRlVOQyQk`, `(?i)\brequire\s*\[`,
	`__proto__`, `(?i)\bconstructor["'\]]{0,2}(?:\.|\s?:\s?[{\["']{0,3}|\[["']?)(?:prototype|constructor)\b`, `(?i)\bthis\.constructor\b`, `_(?:_js|js)_function\b|__js_function`,
	`(?i)\bfs(?:p|\.promises)?\.(?:read|write|append|create|unlink|rm|copy|open|mkdir|chmod|rename|exists|stat|access)\w{0,20}\s*\(`, `(?i)\.\s?(?:readfilesync|writefilesync|appendfilesync|readdirsync|unlinksync|existssync|createreadstream|createwritestream|mainmodule)\b`,
	`(?i)\bprocess(?:\.|\?\.|\[)["']?(?:argv|platform|version|cwd|chdir|pid|title|memoryusage|stdout|stdin|stderr|nexttick|abort|umask|setuid|getuid|config|features|report)\b["'\]]{0,2}\s?[.(\[;)]`, `(?i)\bimport\s*\(\s*["'](?:node:|fs|child|os|http|net|vm|module)`, `(?i)\brequire\s*\(\s*["'` + "`" + `]node:`,
	`(?i)\b(?:global|globalthis)(?:\.|\[['"])(?:process|require|eval|function|constructor|module)\b`, `(?i)\beval\s*\(\s*["'` + "`" + `(\[]`, `(?i)\b(?:eval|function)\s*\(\s*(?:["'` + "`" + `]|atob|unescape|buffer|string|function|decodeuri|require|new\b|process|this\b|global)`, `(?i)\bbuffer\s*\.\s*from\s*\(\s*["']`,
	`(?i)\breturn[\s+]process\b`, `(?i)\b(?:vm|module)\s*\.\s*(?:runin\w{3,20}|_load|_compile|createcontext|createrequire)\b`, `(?i)\bresponse?\.(?:end|send|write)\s*\(\s*(?:["'` + "`" + `]|require|process|global|fs\b|eval)`, `_\$\$ND_FUNC\$\$_`, `(?i)\bchild_process\b`, `(?i)\bprocess\s*\.\s*(?:mainmodule|binding|env|dlopen|exit|kill)\b`,
	`(?i)\brequire\s*\(\s*['"](?:child_process|fs|http|https|net|os|vm|process|module)['"]`, `(?i)\$\d?:(?:__proto__|constructor|then)\b`, `(?i)"?resolved_model"?`, `(?i)\bnext_redirect\b`,
	`(?i)\bglobal\s*\.\s*process\b`, `(?i)\b(?:execsync|spawnsync|execfile)\s*\(`, `(?i)\bnew[\s+]+function\s*\(`, `(?i)\bfunction\s*\(\s*\)\s*\{`,
}

// codedScripts are scripts and commands in base64, which an application decodes and runs.
var codedScripts = []string{coded("while(", "while (", "for(;;", "_$$ND_FUNC$$_", "__js_function", "_js_function", "this.constructor", "module.exports", "function(){", "function() {", "console.log(", "setTimeout(", "global.process", "Buffer.from(", ".execSync(", "spawnSync(", "child_process", "require('", "require(\"", "process.exit", "process.env", "process.mainModule", "__proto__", "constructor.constructor", "new Function(",
	"eval(", "String.fromCharCode", "<script", "javascript:", "document.cookie", "alert(1", "onerror=", "onload=", "/etc/passwd", "/etc/shadow", "/bin/bash", "/bin/sh", "bash -i", "bash -c", "cmd.exe /c", "powershell -", "Invoke-Expression",
	"System.Net.WebClient", "<?php ", "shell_exec(", "passthru(", "$_POST[", "$_GET[", "$_REQUEST[", "java.lang.Runtime", "getRuntime()", "ProcessBuilder", "${jndi:", "import os", "os.system(", "subprocess.", "__import__(", "union select", "UNION SELECT", "UNION ALL SELECT", "information_schema")}

// coded finds words in base64, wherever in the text they begin: a word has three forms, since
// three bytes become four letters. Letters that depend on what stands before or after the
// word are left out.
func coded(list ...string) string {
	var forms []string
	for _, w := range list {
		for before := range 3 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + w))
			begin := (before*8 + 5) / 6 // letters that hold bits of what stands before
			end := (before + len(w)) * 8 / 6
			forms = append(forms, regexp.QuoteMeta(text[begin:end]))
		}
	}
	return strings.Join(forms, "|")
}

var exploitablePaths = []string{
	`(?i)/?(?:web|meta)-inf(?:/|$)`, `(?i)/\.(?:git|svn|hg|bzr|env|aws|ssh|vscode|idea|htaccess|htpasswd|ds_store|docker|npmrc|bash_history)(?:/|$|\.)`,
	`(?i)/(?:phpunit|eval-stdin\.php|cgi-bin/(?:\.|php|test-cgi|printenv)|server-status|server-info|jmx-console|web-console|invoker/|struts2?-|solr/admin|actuator(?:/|$)|wls-wsat|_async/|console/login|hnap1|boaform|goform/|setup\.cgi|manager/html|axis2|druid/|jolokia|telescope/requests|_ignition|vendor/phpunit|debug/default|autodiscover/autodiscover\.json|owa/auth|ecp/|mgmt/tm/|tmui/login|remote/fgt_lang|dana-na|nacos/|xmldata|phpinfo\.php|info\.php|elfinder|fckeditor|trace\.axd|elmah\.axd|wp-config\.php|crossdomain\.xml\.bak|global-protect)`,
	`(?i)/(?:etc/passwd|proc/self|windows/win\.ini|winnt/system32)`,
}
