package managed

import "gatehouse/internal/lang/wafrules"

func linux() source {
	return source{name: "AWSManagedRulesLinuxRuleSet", namespace: "linux-os", capacity: 200,
		rules:       family("LFI", in(linuxFiles, decoded), uriPath, queryString, header),
		description: "Contains rules that block request patterns associated with exploitation of vulnerabilities specific to Linux, including LFI attacks. This can help prevent attacks that expose file contents or execute code for which the attacker should not have had access."}
}

var linuxFiles = []string{
	`(?i)(?:^|[\\/=:\s"'])/?proc/+(?:self|version|\d+|cpuinfo|meminfo|mounts|net|cmdline|stat|sched_debug|kcore|filesystems|partitions|modules|devices)\b`,
	`(?i)/etc/+(?:passwd|shadow|group|gshadow|hosts|issue|motd|fstab|crontab|sudoers|ssh|mysql|apache|nginx|httpd|php|my\.cnf|resolv\.conf|os-release|security|environment|hostname|inittab|ld\.so|redhat-release|lsb-release|exports|samba)`,
	`(?i)/var/+(?:log|mail|run|spool)/`, `(?i)/(?:root|home/[\w.-]{1,40})/+\.`, `(?i)/\.(?:ssh|bash_history|bashrc|mysql_history|netrc|aws/credentials)`, `(?i)/dev/(?:tcp|udp|shm|mem|kmem|random|sda)\b`, `(?i)/sys/(?:class|kernel|devices|firmware)/`,
}

func unix() source {
	return source{name: "AWSManagedRulesUnixRuleSet", namespace: "posix-os", capacity: 100,
		rules:       family("UNIXShellCommandsVariables", in(unixCommands, shell), queryString, body, header),
		description: "Contains rules that block request patterns associated with exploiting vulnerabilities specific to POSIX/POSIX-like OS, including LFI attacks. This can help prevent attacks that expose file contents or execute code for which access should not been allowed."}
}

// unixCommands are matched after quotes and backslashes are gone, runs of white space are one
// space and letters are lower case.
var unixCommands = []string{
	// A command right after what separates commands.
	"(?:;|\\||&|`|\\$\\(|\\{|\\n|<\\(|>\\(|\\|\\||!) ?(?:" + words(`cat ls id whoami uname wget curl ncat netcat nc\x20 bash sh\x20 zsh ksh csh tcsh dash python perl ruby php lua node
		echo printf chmod chown chgrp ps\x20 kill pkill rm\x20 cp\x20 mv\x20 touch sleep ping nslookup dig\x20 host\x20 ifconfig ip\x20a netstat ss\x20 env printenv set\x20 export find\x20 grep egrep awk gawk sed\x20 tail head
		less\x20 more\x20 tac rev\x20 nl\x20 od\x20 xxd base64 base32 tee ssh\x20 scp telnet ftp\x20 tftp socat tar\x20 gzip gunzip unzip gcc make\x20 mkfifo mknod mkdir crontab at\x20 sudo su\x20 passwd useradd adduser
		usermod mount umount df\x20 du\x20 free uptime w\x20 who\x20 last\x20 lsof dmesg systemctl service\x20 apt yum dnf rpm dpkg pip npm gem\x20 git\x20 vi\x20 vim nano ed\x20 cd\x20 pwd dir\x20 sort uniq cut\x20 tr\x20 wc\x20 xargs
		eval exec\x20 source nohup screen timeout time\x20 strace gdb lsb_release hostname ifup route arp\x20 iptables nft\x20 tcpdump nmap mysql psql sqlite redis aws\x20 kubectl docker rsync busybox openssl getent stat\x20 file\x20
		strings head\x20 shred dd\x20 lynx links\x20 aria2c axel fetch\x20 lwp-request`) + ")",
	`(?:/usr)?(?:/local)?/s?bin/(?:` + words(`\w{0,3}sh\b cat ls id\b whoami uname wget curl nc\b ncat python perl ruby php echo chmod chown ps\b kill rm\b cp\b mv\b touch sleep ping env\b printenv find grep awk sed tail head less more base64 tee ssh\b scp telnet ftp tar\b gcc
		su\b sudo passwd mount nslookup dig\b ifconfig netstat busybox node\b lua\b \?\?\? \w?[\[?*]`) + `)`,
	`/[?*][\w?*]{0,10}/`, `\?\?[\w?*]{0,8}/\w`, `/\w{0,8}\?\?`, // /???/c?t
	`\$(?:\{|\()?(?:home|path|ifs|shell|user|logname|pwd|oldpwd|hostname|hosttype|ostype|machtype|bash|bash_\w+|euid|uid|ppid|random|seconds|shlvl|ps[1-4]|mail|term|lang|editor|ld_preload|ld_library_path|ssh_\w+|http_proxy)\b`,
	`\$\{ifs`, `\$ifs\$?\d?`, `\$\(\(?[^)]{1,80}\)`, `\$\{[a-z_#!@?*]\w{0,30}(?::|%|#|/|\^|,|@|\})`, `\$[@*](?:\$|[a-z/])`,
	`\(\) ?\{ ?(?::|_|\w)?;?`, `/dev/(?:tcp|udp|null|zero|stdin|stdout|stderr)\b`, `>&? ?/?(?:dev/|tmp/|var/|etc/)`, `[12]>&[012]`, `\b(?:bash|sh|zsh|ksh|dash) -[cip]\b`, `\b(?:python[\d.]*|perl|ruby|php|node|lua) -[ercm]\b`,
	`\b(?:wget|curl) (?:-\w|--?\w|https?:|ftp:|\w+\.\w)`, `\bnc(?:at)? -\w`, `\b(?:chmod|chown) (?:\+|-|\d{3}|[ugoa]+[+=-]|\w+:)`, `\brm -[rf]{1,2}\b`, `\buname -\w`, `\bcat /\w`, `\bls -[a-z]{1,5}\b`, `\becho \$`, `\bping -[cnw] ?\d`, `\bsleep \d{1,3}(?:$|[;|&)])`,
	`<<< ?\w`, `<\([a-z]`, `\b(?:import|__import__)\b.{0,10}\b(?:os|subprocess|socket|pty)\b`, `\bfind / -`, `\bps -?aux`, `\b(?:apt|apt-get|yum|dnf) (?:-y )?install\b`, `\bsudo -?\w`, `\bmkfifo /`, `\bcrontab -`,
	`\{(?:cat|ls|id|echo|wget|curl|nc|bash|sh|ping),`, `/etc/(?:passwd|shadow|group|hosts|crontab|sudoers)`,
}

func windows() source {
	// The service spells one label differently.
	oddPath := uriPath
	oddPath.label = "_UriPath"
	rules := family("WindowsShellCommands", in(windowsCommands, cmd), header, queryArguments, queryString, oddPath, body)
	rules = append(rules, family("PowerShellCommands", in(powerShell, cmd), cookie, queryArguments, body)...)
	return source{name: "AWSManagedRulesWindowsRuleSet", namespace: "windows-os", capacity: 200, rules: rules,
		description: "Contains rules that block request patterns associated with exploiting vulnerabilities specific to Windows, (e.g., PowerShell commands). This can help prevent exploits that allow attacker to run unauthorized commands or execute malicious code."}
}

var windowsCommands = []string{
	`(?:;|\||&|\n|\() ?(?:` + words(`cmd command nslookup ping\x20 net\x20 netsh netstat ipconfig systeminfo tasklist taskkill whoami dir\x20 type\x20 copy\x20 xcopy del\x20 erase\x20 move\x20 ren\x20 echo attrib cacls icacls reg\x20 regedit regsvr32
		rundll32 wmic sc\x20 schtasks at\x20 shutdown certutil bitsadmin mshta cscript wscript powershell pwsh msiexec forfiles findstr find\x20 more\x20 start\x20 set\x20 ver\x20 hostname arp route tracert pathping telnet ftp tftp
		vssadmin wevtutil diskpart format\x20 chkdsk fsutil takeown runas gpresult query\x20 quser curl`) + `)`,
	`\bcmd(?:\.exe|32)? ?(?:/|\\)[ckrqvsd]\b`, `\bcommand\.com\b`, `%(?:comspec|systemroot|windir|appdata|programfiles|userprofile|temp|path|username|computername|homedrive|homepath)(?::~-?\d+,-?\d+)?%`,
	`\b(?:c:|%systemroot%)?\\?(?:windows|winnt)\\(?:system32|syswow64|temp)\b`, `\bnet(?:1)?(?:\.exe)? (?:user|localgroup|group|use|view|share|start|stop|accounts|session)\b`, `\b(?:reg|reg\.exe) (?:query|add|delete|save|export)\b`,
	`\b(?:certutil|bitsadmin|mshta|regsvr32|rundll32|wmic|schtasks|cscript|wscript)(?:\.exe)?\b ?[-/\w]`, `\bnslookup(?:\.exe)? (?:-\w|\w+\.)`, `\bping(?:\.exe)? -n \d`, `\btype (?:[a-z]:)?\\`, `\bdir (?:[a-z]:)?[\\/]`, `\bfor /[fdlr] `, `\bping(?:\.exe)? \d{1,3}\.\d`,
}

var powerShell = []string{
	`\bpowershell(?:\.exe)?\b ?(?:-|/|/c)?`, `\bpwsh(?:\.exe)? -`, `\b(?:invoke-(?:expression|webrequest|command|restmethod|item|mimikatz|shellcode|wmimethod|history|cimmethod)|iex\b ?[(\w$]|iwr\b ?[(\w$-])`, `\bnew-object\b`, `\b(?:start|stop|get)-(?:process|service|wmiobject|content|childitem|item|location|credential|host|variable|ciminstance|eventlog|hotfix|bitstransfer|sleep)\b`,
	`\b(?:set|remove|copy|move|add|out|write|convertto|convertfrom|import|export|select|test|enter|export)-(?:executionpolicy|content|item|itemproperty|file|host|output|securestring|module|string|connection|pssession|object|type|csv)\b`, `-(?:enc|encodedcommand|executionpolicy|noprofile|windowstyle|nop|noni)\b`, `\bnet\.webclient\b`, `\bdownload(?:string|file|data)\b`, `\[system\.\w+`, `\bfrombase64string\b`,
}

func php() source {
	return source{name: "AWSManagedRulesPHPRuleSet", namespace: "php-app", capacity: 100,
		rules:       family("PHPHighRiskMethodsVariables", in(phpPatterns, decoded), header, queryString, body, uriPath),
		description: "Contains rules that block request patterns associated with exploiting vulnerabilities specific to the use of the PHP, including injection of unsafe PHP functions. This can help prevent exploits that allow an attacker to remotely execute code or commands."}
}

var phpPatterns = []string{
	`(?i)<\?(?:php\b|=|\s)`, `(?i)\[/?php\]`, `(?i)\b(?:php|phar|expect|zip|glob|ogg|rar|ssh2)://`, `(?i)\bdata:(?:text/plain|application/x-httpd-php)`,
	`(?i)\b(?:` + words(`fsockopen pfsockopen shell_exec passthru proc_open popen pcntl_exec pcntl_fork call_user_func(?:_array)? create_function preg_replace(?:_callback)? file_get_contents file_put_contents base64_decode base64_encode
		gzinflate gzuncompress gzdecode str_rot13 phpinfo phpversion php_uname ini_set ini_get_all set_time_limit ob_start assert eval system exec unserialize parse_str extract array_map array_filter array_walk usort uasort uksort
		move_uploaded_file readfile highlight_file show_source php_strip_whitespace get_defined_vars get_cfg_var getenv putenv symlink chgrp chmod chown unlink mkdir rmdir opendir scandir fopen fwrite fputs fread fgets
		curl_exec curl_init stream_context_create stream_socket_client mysql_query mysqli_query sqlite_open pg_query var_dump print_r var_export debug_backtrace error_log mb_ereg_replace register_shutdown_function
		register_tick_function set_error_handler spl_autoload_register iterator_apply forward_static_call(?:_array)? func_get_args apache_setenv posix_getpwuid getmyuid disk_free_space is_callable function_exists dl\b include_once require_once bzopen
		gzopen ftp_connect imap_open mail array_diff_ukey array_udiff chr bin2hex hex2bin convert_uudecode md5_file sha1_file zlib_decode ReflectionFunction simplexml_load_\w+ assert_options`) + `)\s*\(`,
	`(?i)\$_(?:get|post|request|cookie|server|files|env|session)\b`, `(?i)\$(?:globals|http_(?:get|post|cookie|server|raw)_\w+|argv|argc|php_errormsg)\b`, `(?i)\b(?:allow_url_include|auto_prepend_file|auto_append_file|disable_functions|open_basedir|safe_mode|suhosin\.simulation|cgi\.force_redirect|cgi\.redirect_status_env)\b\s*=`,
	`(?i)\bO:\d+:"[^"]{1,60}":\d+:\{`, `\$\{?\w{1,30}\}?\((?:\$|['"])`, `(?i)\bphp[-_]?(?:input|filter)\b/?`, `(?i)\b(?:include|require)\s*\(?\s*['"$]`, `(?i)\.ph(?:p\d?|tml|ar|ps|pt)(?:[./]|$).{0,40}\.(?:jpe?g|png|gif|txt)$`, `(?i)\bcallable\b|\b\w{3,30}::__construct`,
}

func adminProtection() source {
	return source{name: "AWSManagedRulesAdminProtectionRuleSet", namespace: "admin-protection", capacity: 100,
		rules:       []wafrules.Rule{rule("AdminProtection_URIPATH", "AdminProtection_URIPath", patterns(adminPaths, uriPath.field, decoded))},
		description: "Contains rules that allow you to block external access to exposed admin pages. This may be useful if you are running third-party software or would like to reduce the risk of a malicious actor gaining administrative access to your application."}
}

var adminPaths = []string{
	`(?i)/(?:` + words(`sqlmanager sql-?admin phpmyadmin\d* pma\d* myadmin mysqladmin mysql-admin mysqlmanager dbadmin db/?webadmin webadmin websql adminer(?:-[\d.]+)?(?:\.php)? phppgadmin pgadmin\d* mongo-?express redis-?commander
		administrator admin-?console adminpanel admincp admin\.php admin\.asp admin\.jsp wp-admin wp-login\.php manager/(?:html|status|text) host-manager cpanel whm plesk webmin phpminiadmin siteadmin sysadmin typo3
		joomla/administrator user/admin admin/login admin/index console/login kibana grafana/login jenkins/(?:script|manage) solr/admin rabbitmq h2-console actuator server-status`) + `)(?:[/?.;]|$)`,
}

func wordPress() source {
	command := rule("WordPressExploitableCommands_QUERYSTRING", "WordPressExploitableCommands_QUERYSTRING",
		patterns([]string{`(?i)\bdo-reset-wordpress\b`, `(?i)\brevslider_(?:show_image|ajax_action)\b`, `(?i)\b(?:duplicator_download|wp_ajax_\w+|swp_debug|wpgdprc_process_action|tie_get_user_weather|ufaq_\w+|uploadify)\b`, `(?i)(?:^|&)author=\d+`, `(?i)action=(?:kb_process_ajax|heartbeat_nopriv|wpfc_\w+|ajax_dump|upload-plugin|fs_set_db_option)`}, queryString.field, decoded))
	paths := rule("WordPressExploitablePaths_URIPATH", "WordPressExploitablePaths_URIPath",
		patterns([]string{`(?i)/xmlrpc\.php`, `(?i)/wp-config\.(?:php|bak|txt|old)`, `(?i)/wp-(?:content/(?:debug\.log|uploads/.{0,80}\.php|plugins/.{1,80}/(?:readme\.txt|uploadify|timthumb)|backup)|includes/wlwmanifest\.xml|admin/(?:install|setup-config|admin-ajax)\.php|cron\.php|json/wp/v2/users|login\.php)`, `(?i)/timthumb\.php`}, uriPath.field, decoded))
	return source{name: "AWSManagedRulesWordPressRuleSet", namespace: "wordpress-app", capacity: 100, rules: []wafrules.Rule{command, paths},
		description: "The WordPress Applications group contains rules that block request patterns associated with the exploitation of vulnerabilities specific to WordPress sites."}
}
