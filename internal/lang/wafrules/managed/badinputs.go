package managed

import (
	"slices"

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
	rules = append(rules, rule("ReactJSRCE_BODY", "ReactJSRCE_Body", patterns(nodeRCE, body.field, decoded)))
	return source{name: "AWSManagedRulesKnownBadInputsRuleSet", namespace: "known-bad-inputs", capacity: 200, rules: rules,
		description: "Contains rules that allow you to block request patterns that are known to be invalid and are associated with exploitation or discovery of vulnerabilities. This can help reduce the risk of a malicious actor discovering a vulnerable application."}
}

// javaUploads are names of files that a server runs, where a name of a file is all of a value.
var javaUploads = []string{`(?i)^[\w./\\ -]{0,80}\.\s?(?:jspx?|jspf|jhtml|war)[.\s]*$`}

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
	`(?i)\bwhile\s*\(\s*(?:!|\+?\d+\s*\)|true\b|this\b|\+?infinity\b)`, `(?i)\bfor\s*\(\s*;\s*;\s*\)`, `XyQkTkRfRlVOQyQk`, `(?i)\brequire\s*\[`,
	`__proto__`, `(?i)\bconstructor\s*(?:\.|:|\[['"])\s*(?:prototype|constructor)`, `_\$\$ND_FUNC\$\$_`, `(?i)\bchild_process\b`, `(?i)\bprocess\s*\.\s*(?:mainmodule|binding|env|dlopen|exit|kill)\b`,
	`(?i)\brequire\s*\(\s*['"](?:child_process|fs|http|https|net|os|vm|process|module)['"]`, `(?i)\$\d?:(?:__proto__|constructor|then)\b`, `(?i)"?resolved_model"?`, `(?i)\bnext_redirect\b`,
	`(?i)\bglobal\s*\.\s*process\b`, `(?i)\b(?:execsync|spawnsync|execfile)\s*\(`, `(?i)\bnew[\s+]+function\s*\(`, `(?i)\bfunction\s*\(\s*\)\s*\{`,
}

var exploitablePaths = []string{
	`(?i)/?(?:web|meta)-inf(?:/|$)`, `(?i)/\.(?:git|svn|hg|bzr|env|aws|ssh|vscode|idea|htaccess|htpasswd|ds_store|docker|npmrc|bash_history)(?:/|$|\.)`,
	`(?i)/(?:phpunit|eval-stdin\.php|cgi-bin/(?:\.|php|test-cgi|printenv)|server-status|server-info|jmx-console|web-console|invoker/|struts2?-|solr/admin|actuator(?:/|$)|wls-wsat|_async/|console/login|hnap1|boaform|goform/|setup\.cgi|manager/html|axis2|druid/|jolokia|telescope/requests|_ignition|vendor/phpunit|debug/default|autodiscover/autodiscover\.json|owa/auth|ecp/|mgmt/tm/|tmui/login|remote/fgt_lang|dana-na|nacos/|xmldata|phpinfo\.php|info\.php|elfinder|fckeditor|trace\.axd|elmah\.axd|wp-config\.php|crossdomain\.xml\.bak|global-protect)`,
	`(?i)/(?:etc/passwd|proc/self|windows/win\.ini|winnt/system32)`,
}
