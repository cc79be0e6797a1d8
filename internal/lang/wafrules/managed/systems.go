package managed

import (
	"slices"

	"gatehouse/internal/lang/wafrules"
)

func linux() source {
	return source{name: "AWSManagedRulesLinuxRuleSet", namespace: "linux-os", capacity: 200,
		rules: family("LFI", func(p part) wafrules.Statement {
			if p == header {
				return anyOf(patterns(linuxFiles, p.field, decoded), patterns(uploads, fileNames, decoded))
			}
			return patterns(linuxFiles, p.field, decoded)
		}, uriPath, queryString, header),
		description: "Contains rules that block request patterns associated with exploitation of vulnerabilities specific to Linux, including LFI attacks. This can help prevent attacks that expose file contents or execute code for which the attacker should not have had access."}
}

var linuxFiles = []string{
	`\.\.[\\/]+\.\.[\\/]`, numberedMarks,
	`(?i)(?:^|[\\/=:\s"'])/?proc/+(?:self|version|\d+|cpuinfo|meminfo|mounts|net|cmdline|stat|sched_debug|kcore|filesystems|partitions|modules|devices)\b`,
	`(?i)/etc/+(?:passwd|shadow|group|gshadow|hosts|issue|motd|fstab|crontab|sudoers|ssh|mysql|apache|nginx|httpd|php|my\.cnf|resolv\.conf|os-release|security|environment|hostname|inittab|ld\.so|redhat-release|lsb-release|exports|samba)`,
	`(?i)/var/+(?:log|mail|run|spool)/`, `(?i)/(?:root|home/[\w.-]{1,40})/+\.`, `(?i)/\.(?:ssh|bash_history|bashrc|mysql_history|netrc|aws/credentials)`, `(?i)/dev/(?:tcp|udp|shm|mem|kmem|random|sda)\b`, `(?i)/sys/(?:class|kernel|devices|firmware)/`,
}

// fileNames are the headers in which clients say what an upload is called.
var fileNames = &wafrules.FieldToMatch{Headers: &wafrules.MapField{MatchPattern: &wafrules.MapPattern{IncludedHeaders: []string{"x-filename", "x_filename", "x.filename", "x-file-name", "x_file_name", "file-name", "slug"}},
	MatchScope: "VALUE", OversizeHandling: "CONTINUE"}}

// uploads are names that nobody gives to a document: settings and credentials of programs,
// copies of a server's files, and files of the kernel. Programs are documents to some.
var uploads = []string{
	`(?i)^\.(?:` + words(`\w{1,20}rc \w{1,20}_?history \w{1,20}_?profile \w{1,20}ignore env(?:\.\w+)? boto htaccess htpasswd htdigest netrc pgpass my\.cnf vimrc viminfo git\w* svn hg bzr aws azure gcloud docker\w* kube ssh gnupg gem npmrc pypirc
		s3cfg addressbook subversion mysql_\w+ psql_\w+ rediscli_history lesshst login logout cshrc tcshrc kshrc xinitrc xsession fetchmailrc muttrc google_authenticator proclog procmailrc rhosts shosts travis\.yml DS_Store idea vscode drush config local`) + `)$`,
	`(?i)\.(?:bak|backup|old|orig|save|swp|swo|inc|conf|cfg|cnf|ini|key|pem|p12|pfx|kdbx)$`,
	`(?i)^(?:` + words(`acpi asound bootconfig buddyinfo cgroups? cmdline config\.gz cpuinfo crypto diskstats dynamic_debug execdomains fairscheduler fb filesystems interrupts iomem ioports ipmi kallsyms kcore key-users keys kmsg kpagecgroup kpagecount kpageflags
		latency_stats loadavg locks mdstat meminfo modules mounts mtrr net pagetypeinfo partitions pressure sched_debug schedstat scsi self slabinfo softirqs swaps sysrq-trigger sysvipc thread-self timer_list timer_stats tty uptime version version_signature
		vmallocinfo vmstat zoneinfo id_(?:rsa|dsa|ecdsa|ed25519)(?:\.pub)? authorized_keys known_hosts passwd shadow gshadow sudoers fstab hosts crontab web\.xml web\.config wp-config[\w.-]{0,20} config\.(?:php|inc|ya?ml|json|xml) settings\.(?:php|py) localsettings\.php
		database\.yml secrets?\.ya?ml credentials(?:\.\w+)?`) + `)$`,
}

func unix() source {
	return source{name: "AWSManagedRulesUnixRuleSet", namespace: "posix-os", capacity: 100,
		rules:       family("UNIXShellCommandsVariables", in(unixCommands, shell), queryString, body, header),
		description: "Contains rules that block request patterns associated with exploiting vulnerabilities specific to POSIX/POSIX-like OS, including LFI attacks. This can help prevent attacks that expose file contents or execute code for which access should not been allowed."}
}

// What may stand before a command in a shell. A single & also separates the arguments of
// queries, and a semicolon those of cookies.
const (
	separator = "(?:;|\\||&|`|\\$\\(|\\{|\\n|<\\(|>\\(|!)"
	strong    = "(?:;|\\||&&|`|\\$\\(|\\n|<\\(|>\\()"
	// noName stands after a command that is not the name of an argument.
	noName = "(?:$|[^\\w=:.\\[\\]-])"
)

const (
	commands = `cat ls id whoami uname wget curl ncat netcat nc bash sh zsh ksh csh tcsh dash python[\d.]* perl ruby php lua nodejs
		printf chmod chown chgrp ps pkill rm cp mv nslookup dig ifconfig netstat ss printenv egrep awk gawk sed xxd base64 base32 tee
		scp telnet tftp socat gzip gunzip unzip gcc mkfifo mknod mkdir crontab sudo passwd useradd adduser usermod umount df du uptime
		lsof dmesg systemctl apt apt-get yum dnf rpm dpkg pip npm vi vim nano pwd uniq wc xargs nohup strace gdb lsb_release ifup iptables
		tcpdump nmap mysql psql sqlite3? redis-cli kubectl docker rsync busybox openssl getent shred dd lynx aria2c axel lwp-request
		c89 c99 flock cpulimit perf alias bsdtar busctl capsh chroot setarch taskset setsid stdbuf ionice unshare nsenter runuser doas pkexec
		env export eval exec ifdown arp lwp-download pico emacs lftp hexdump sysctl modprobe insmod mawk tclsh expect pdb gimp ldconfig ltrace
		composer cobc cowsay cpan dialog easy_install gem genie ghc git grc hping3 ispell java jjs jq jrunscript julia ksshell latex loginctl
		mosquitto msgconv mtr multitime nawk neofetch octave openvt pandoc pdflatex pexec pry puppet rake rlwrap rvim slsh sqlmap tar taskset
		tmux torify valgrind vimdiff xelatex yarn zathura zip zypper
		ansible(?:-\w+)? chef-\w+ cscli knife rmt(?:-\w+)? visudo vipw bridge comm strace ab agetty arj aspell at batch batcat bconsole bpftrace bundler byebug cabal certbot choom
		column cpio csplit ctr cupsfilter dc debugfs dmidecode dstat dvips ebtables efax enscript facter finger fping gawk gcloud gcore gdb ginsh hashcat hping iconv
		iftop ip6tables kadmin kubeadm ld\.so less logsave lpr ltrace mariadb minicom mkisofs msgattrib msgmerge nasm nft nginx nodejs nroff nsupdate openvpn pkcon
		podman pidstat pmap posh procmail ptx pypi rlogin rpmquery rpmverify rsh rtorrent run-parts rview scanmem scrot setfacl setlock slapd smbclient snap softlimit
		sqlplus ssh-keygen ssh-keyscan sshpass start-stop-daemon svn sysctl tasksh tdbtool terraform tshark ulimit update-alternatives uuencode uudecode vigr virsh volatility wall wish xmodmap xmore xpad aa-\w+ zsoelim`
	wordCommands = `echo kill touch sleep ping host ip set find grep tail head less more tac rev nl od ssh ftp make at su mount free w who last
		service ed cd dir sort cut tr source screen timeout time hostname route nft aws stat file strings links fetch node test watch split
		look install command nice batch crash script man start tset ul view xz cmp comm diff fold join paste pr cancel finger at dosbox`
)

// lonely are commands that do something alone.
const lonely = `whoami uname ifconfig netstat lsof lsusb lspci lscpu lsblk lsmod printenv visudo vipw vigr ip6?tables nslookup traceroute hostnamectl timedatectl systemctl journalctl dmidecode lsb_release
	getent(?:\x20\w{1,20})? ps\x20aux(?:www)? sudo\x20\w{1,30} crontab sysctl mkfs fdisk useradd usermod userdel groupadd adduser deluser tcpdump blkid dmesg findmnt getconf hostid lastlog lastb logname nproc pstree vmstat iostat mpstat dstat iotop htop nethogs iwconfig rpcinfo showmount exportfs poweroff runlevel lsattr chattr ldconfig nmap busybox getcap ssh-agent ssh-add update-grub loginctl`

// unixCommands are matched after quotes and backslashes are gone, runs of white space are one
// space and letters are lower case.
var unixCommands = []string{
	// A command right after what separates commands.
	separator + " ?(?:" + words(commands) + ")" + noName,
	// Commands that are English words too need an argument that is not.
	separator + " ?(?:" + words(wordCommands) + ") (?:--?[a-z]|/|~|\\$|\\*\\.|\\.{1,2}/)",
	strong + " ?(?:" + words(wordCommands) + ") ?(?:>|<|\\||;|&&|`|$)",
	// A command at the beginning, with an option.
	"(?:^|=)(?:sudo |time |nohup |exec |command )?(?:" + words(commands) + "|" + words(wordCommands) + ") (?:-[a-z]{1,4}\\b|--[a-z]{2,20}\\b)", `(?:^|=)(?:ansible|chef|aa)-\w{3,20}\b`, `(?:^|=)(?:sudo|time|nohup|strace|ltrace|exec|xargs|env|busybox|python[\d.]{0,4}|perl|ruby|bash|nice|timeout) (?:-\w+ )?(?:` + words(commands) + `)(?:$| )`,
	`(?:^|[/=])(?:usr/|local/)*s?bin/\w[\w-]`, `\balias (?:[-+]\w{1,4}\+? )?[\w.'"-]{1,30}=`, `\[\?\]\w|\[\*\]\w|/\w{0,8}\[[a-z]?//`, `\$\[\d+ ?[-+*/%]`, `(?:^|=)~[-+]\d{0,2}(?:$|&)`, `\{,[a-z]{2,12},[\w,-]*\}`, `\{[a-z]{1,12},-[a-z]`, `!-\d{1,3}!-\d`, `(?:^|=)(?:python\d[\d.]*|busybox|bsdtar|perl|ruby|php\d?|nodejs|bash|zsh|ksh|dash|ncat|netcat|socat) (?:-|/|[\w./-]{1,40}\.(?:py|sh|php|pl|rb|js)\b)`,
	`(?:/usr)?(?:/local)?/s?bin/(?:` + words(`\w{0,3}sh\b cat ls id\b whoami uname wget curl nc\b ncat python perl ruby php echo chmod chown ps\b kill rm\b cp\b mv\b touch sleep ping env\b printenv find grep awk sed tail head less more base64 tee ssh\b scp telnet ftp tar\b gcc
		su\b sudo passwd mount nslookup dig\b ifconfig netstat busybox node\b lua\b \?\?\? \w?[\[?*]`) + `)`,
	`/\?[\w?*]{0,10}/|/\*[a-z?]{1,10}/`, `\?\?[\w?*]{0,8}/\w`, `/\w{0,8}\?\?`, // /???/c?t
	`\$(?:\{|\()?(?:home|path|ifs|shell|user|logname|pwd|oldpwd|hostname|hosttype|ostype|machtype|bash|bash_\w+|euid|uid|ppid|random|seconds|shlvl|ps[1-4]|mail|term|lang|editor|ld_preload|ld_library_path|ssh_\w+|http_proxy)\b`,
	`\$\{ifs`, `\$ifs\$?\d?`, `\$\(\(?[^)]{1,80}\)`, `\$\{[a-z_#!@?*]\w{0,30}(?::|%|#|/|\^|,|@|\})`, `\$[@*](?:\$|[a-z/])`,
	`^\(\) ?\{`, `=\(\) ?\{`, `\(\) ?\{ ?(?::|_|\w{1,10}) ?; ?\}`, `/dev/(?:tcp|udp|null|zero|stdin|stdout|stderr)\b`, `>&? ?/?(?:dev/|tmp/|var/|etc/)`, `[12]>&[012]`, `\b(?:bash|sh|zsh|ksh|dash) -[cip]\b`, `\b(?:python[\d.]*|perl|ruby|php|node|lua) -[ercm]\b`,
	`\b(?:wget|curl) (?:-\w|--?\w|https?:|ftp:|\w+\.\w)`, `\bnc(?:at)? -\w`, `\b(?:chmod|chown) (?:\+|-|\d{3}|[ugoa]+[+=-]|\w+:)`, `\brm -[rf]{1,2}\b`, `\buname -\w`, `\bcat /\w`, `\bls -[a-z]{1,5}\b`, `\becho \$`, `\bping -[cnw] ?\d`, `\bsleep \d{1,3}(?:$|[;|&)])`,
	`<<< ?\w`, `\b(?:import|__import__)\b.{0,10}\b(?:os|subprocess|socket|pty)\b`, `\bfind / -`, `\bps -?aux`, `\b(?:apt|apt-get|yum|dnf) (?:-y )?install\b`, `\bsudo -?\w`, `\bmkfifo /`, `\bcrontab -`,
	`(?:^|=)python\d\.\d+ \w`, `(?:^|=)[<>]\([a-z][^()]{0,60}\)`,
	// A command that is no word of English and all that a value says.
	"(?:^|=)(?:" + words(lonely) + ") ?(?:$|&)",
	`\{\w{1,3}\.\.\w{1,3}(?:\.\.\d{1,3})?\}`, `(?:^|[=;|&])!(?:!:|\$|\^|:\d|-\d)`, `(?:^|[=;|&/])\{,[\w/-]`,
	`\{(?:` + words(commands) + `|echo|find|grep|tail|head|touch|ping|kill|ssh|node|sleep|nl|tac|od),`, `/etc/(?:passwd|shadow|group|hosts|crontab|sudoers)`,
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
	`(?:;|\||&|\n) ?(?:` + words(`cmd nslookup netsh netstat ipconfig systeminfo tasklist taskkill whoami xcopy attrib cacls icacls regedit regsvr32
		rundll32 wmic schtasks certutil bitsadmin mshta cscript wscript powershell pwsh msiexec forfiles findstr tracert pathping telnet tftp
		vssadmin wevtutil diskpart chkdsk fsutil takeown runas gpresult quser curl wget`) + `)(?:\.exe)?` + noName,
	// Commands that are English words too need an argument that is not.
	`(?:;|\||&|\n) ?(?:` + words(`ping net dir type copy del erase move ren echo reg sc at find more start set ver hostname arp route shutdown ftp format query command tree date time title color print sort`) + `) ?(?:/[a-z]\b|\\|%|[a-z]:\\|\*\.|-[a-z]\b|>|\||&&|\d{1,3}\.\d)`,
	`\bcmd(?:\.exe|32)? ?(?:/|\\)[ckrqvsd]\b`, `\bcommand\.com\b`, `%(?:comspec|systemroot|windir|appdata|programfiles|userprofile|temp|path|username|computername|homedrive|homepath)(?::~-?\d+,-?\d+)?%`,
	`\b(?:c:|%systemroot%)?\\?(?:windows|winnt)\\(?:system32|syswow64|temp)\b`, `\bnet(?:1)?(?:\.exe)? (?:user|localgroup|group|use|view|share|start|stop|accounts|session)\b`, `\b(?:reg|reg\.exe) (?:query|add|delete|save|export)\b`,
	`\b(?:certutil|bitsadmin|mshta|regsvr32|rundll32|wmic|schtasks|cscript|wscript)(?:\.exe)?\b ?[-/\w]`, `\bnslookup(?:\.exe)? (?:-\w|\w+\.)`, `\bping(?:\.exe)? -n \d`, `\btype (?:[a-z]:)?\\`, `\bdir (?:[a-z]:)?[\\/]`, `\bfor /[fdlr] `, `%+[^ %]{1,40} in ?\(.{0,200}\) ?do\b`, `\bif (?:/i )?(?:not )?(?:exist|defined|errorlevel|cmdextversion)\b`, `\bif (?:/i )?(?:not )?\(?(?:%|\[|\{%)[^=]{1,20}==`, `\bif /i [^=]{1,40}==`, `(?:^|=)if (?:not )?[^\s,]{1,30} ?== ?[^\s,]{1,30} \w`, `\bif/i `, `(?:^|=)if ?\(?[^\s,]{1,30}==[^\s,]{1,30} ?(?:\w|\()`, `(?:^|=)for (?:/[dflr] )?%%?\w in\b`, `\bif (?:not )?\S{1,20} ?== ?\S{1,20} (?:echo|cmd|goto|call|set|del|start|exit|\()`, `\bif .{1,40} (?:equ|neq|lss|leq|gtr|geq) `, `(?:;|\||&|\n) ?(?:bcdboot|bcdedit|bitsadmin|certreq|diskraid|extrac32|makecab|odbcconf|pcalua|replace|robocopy|wmiadap|tracerpt)\b`, `\bping(?:\.exe)? \d{1,3}\.\d`,
}

var powerShell = []string{
	`\biwmi -`,
	`\bpowershell(?:\.exe)?\b ?(?:-|/|/c)?`, `\bpwsh(?:\.exe)? -`, `\b(?:invoke-(?:expression|webrequest|command|restmethod|item|mimikatz|shellcode|wmimethod|history|cimmethod)|iex\b ?[(\w$]|iwr\b ?[(\w$-])`, `\bnew-object\b`, `\b(?:start|stop|get)-(?:process|service|wmiobject|content|childitem|item|location|credential|host|variable|ciminstance|eventlog|hotfix|bitstransfer|sleep)\b`,
	`\b(?:set|remove|copy|move|add|out|write|convertto|convertfrom|import|export|select|test|enter|export)-(?:executionpolicy|content|item|itemproperty|file|host|output|securestring|module|string|connection|pssession|object|type|csv)\b`, `-(?:enc|encodedcommand|executionpolicy|noprofile|windowstyle|nop|noni)\b`, `\bnet\.webclient\b`, `\bdownload(?:string|file|data)\b`, `\[system\.\w+`, `\bfrombase64string\b`,
}

func php() source {
	return source{name: "AWSManagedRulesPHPRuleSet", namespace: "php-app", capacity: 100,
		rules:       append(family("PHPHighRiskMethodsVariables", in(slices.Concat(phpUploads, phpPatterns), decoded), header), family("PHPHighRiskMethodsVariables", in(phpPatterns, decoded), queryString, body, uriPath)...),
		description: "Contains rules that block request patterns associated with exploiting vulnerabilities specific to the use of the PHP, including injection of unsafe PHP functions. This can help prevent exploits that allow an attacker to remotely execute code or commands."}
}

// phpUploads are names of files that a server runs, where a name of a file is all of a value.
var phpUploads = []string{`(?i)^[\w./\\ -]{0,80}\.\s?(?:php\d{0,3}|phtml?|phar|phps|pht|phpt)[.\s]*$`}

var phpPatterns = []string{
	`(?i)(?:_(?:conf|server|session|globals|env)\[\w{1,30}\]|\w{0,30}(?:root|absolute|abs|base|inc|lib|include)_?(?:path|dir)\w{0,10})=(?:https?|ftps?)://`,
	`(?i)<\?(?:php\b|=|\s|$)`, `(?i)\[[/\\]?php\]`, `(?i)\{/php\}`, `\) ?\( ?['"]`, `\$ ?\{ ?['$]`, `(?i)filename="?[^"\r\n]{0,100}\.\s?ph(?:p\d{0,3}|tml?|ar|ps|t)\b`, `(?i)(?:^|[/\\="])sess_[a-z0-9,-]{16,256}(?:$|["&;])`, `(?i)\b(?:php|phar|expect|zip|glob|ogg|rar|ssh2)://`, `(?i)\bdata:(?:text/plain|application/x-httpd-php)`,
	`(?i)(?:` + words(`fsockopen pfsockopen shell_exec passthru proc_open popen pcntl_exec pcntl_fork call_user_func(?:_array)? create_function preg_replace(?:_callback)? file_get_contents file_put_contents base64_decode base64_encode
		gzinflate gzuncompress gzdecode str_rot13 phpinfo phpversion php_uname ini_set ini_get_all set_time_limit ob_start assert eval system exec unserialize parse_str extract array_map array_filter array_walk usort uasort uksort
		move_uploaded_file readfile highlight_file show_source php_strip_whitespace get_defined_vars get_cfg_var getenv putenv symlink chgrp chmod chown unlink mkdir rmdir opendir scandir fopen fwrite fputs fread fgets
		curl_exec curl_init stream_context_create stream_socket_client mysql_query mysqli_query sqlite_open pg_query var_dump print_r var_export debug_backtrace error_log mb_ereg_replace register_shutdown_function
		register_tick_function set_error_handler spl_autoload_register iterator_apply forward_static_call(?:_array)? func_get_args apache_setenv posix_getpwuid getmyuid disk_free_space is_callable function_exists include_once require_once bzopen
		gzopen ftp_connect imap_open bzdecompress substr_replace gethostbyname get_current_user array_diff_ukey array_udiff bin2hex hex2bin convert_uudecode md5_file sha1_file zlib_decode ReflectionFunction simplexml_load_\w+ assert_options`) + `)(?:\(|\s{1,3}\(\s*(?:['"$)]|[a-z_]+\())`,
	// A comment between the name of a function and its arguments hides the call.
	`(?i)\b[a-z]\w{2,30}\s*/\*[^*]{0,60}\*/\s*\(`, `(?i)\b[a-z]\w{2,30}\s*(?://|#)[^\n]{0,60}\n\s*\(`,
	`(?i)\b(?:` + words(`fopen fwrite fputs fread fgets fsockopen pfsockopen unserialize parse_str readfile opendir scandir symlink chgrp chown chmod unlink rmdir mkdir phpinfo usort uasort uksort popen passthru filegroup fileowner fileperms
		filemtime fileatime fnmatch ftruncate fputcsv gzopen bzopen basename dirname copy tmpfile tempnam glob stat file rename unpack substr str_replace str_repeat ucfirst ucwords strrev strtolower var_dump print_r phpcredits phpversion
		get_defined_\w+ get_class_\w+ get_object_vars \w+_exists is_\w{3,12} array_\w{3,20} mb_\w{3,20} ob_\w{3,20} session_\w{3,20} mysqli?_\w{3,20} pg_\w{3,20} curl_\w{3,20} stream_\w{3,20} posix_\w{3,20} preg_\w{3,20} iconv_\w{3,20} json_(?:en|de)code`) + `)\s{0,5}\(\s{0,5}(?:\$|['"]|\)|\w+\))`,
	// Names in parentheses are called too.
	`(?:^|[=&;(])\s?\(['"]?\w{3,30}['"]?\)\s?\([^)]{0,60}\)`, `(?:^|[=&;])\s?\(\(?['"]?\w{1,20}['"]?\)?(?:\s?\.\s?\(?['"]?\w{1,20}['"]?\)?){1,8}\)\s?\(`, `['"]\((?:\$\w|\w{2,30}\)\s?(?:;|&|$))`, `[;&]\s?\$\w{1,20}\(`, `['"]\s?\.\s?['"]\w{1,20}['"]\s?\)?\s?\(`,
	// Elements of an array are called, with comments between.
	`\$\{?[\w@$]+\}?(?:\s|\[[^\]]*\]|\{[^}]*\}|/\*[^*]*\*/|(?://|#)[^\n]*\n)*(?:\[[^\]]*\]|\{[^}]*\}|/\*[^*]*\*/|(?://|#)[^\n]*\n)\s?\(`,
	// Names that only PHP has, and that do harm.
	`(?i)\b(?:` + words(`shell_exec proc_open pcntl_exec pcntl_fork pcntl_alarm pfsockopen fsockopen call_user_func(?:_array)? call_user_method(?:_array)? create_function base64_decode gzinflate gzuncompress gzdecode bzdecompress convert_uudecode str_rot13 file_get_contents
		file_put_contents move_uploaded_file php_uname php_strip_whitespace highlight_file show_source get_defined_(?:vars|functions|constants) get_class_(?:methods|vars) get_object_vars register_(?:shutdown|tick)_function set_include_path posix_(?:getpwuid|getuid|kill|mkfifo|setuid|setsid|ttyname)
		apache_child_terminate __halt_compiler proc_terminate proc_nice stream_context_create stream_socket_(?:client|server) simplexml_load_(?:file|string) unserialize_callback_func array_diff_u(?:assoc|key) array_intersect_u(?:assoc|key) forward_static_call(?:_array)?
		spl_autoload_register assert_options mb_ereg(?:i)?_replace preg_replace_callback runkit_\w{3,20} ob_start inject_code ftp_(?:connect|put|nb_put|login) mysql_(?:query|pconnect) mysqli_(?:multi_)?query pg_(?:query|execute) sqlite_(?:array_)?query oci_execute odbc_exec`) + `)\b`, `\[['"]?\w{3,30}['"]?\]\)?\s?\[\d\]\}?\)?\s?\(`, `(?:\\x[0-9a-fA-F]{2}\w{0,30}){1,8}["']\s?\(`, `(?i)\((?:string|array|object)\)\s?["'{\[]`,
	`(?i)\b(?:opcache|mbstring|zend|xdebug|suhosin|pcre|phar|fastcgi|ffi)\.[a-z_]{3,40}\s*=`, `(?i)\b(?:memory_limit|max_execution_time|max_input_\w+|unserialize_\w+|display_(?:startup_)?errors|error_reporting|error_(?:pre|ap)pend_string|register_(?:globals|argc_argv)|magic_quotes\w*|post_max_size|upload_(?:max_filesize|tmp_dir)|html_errors|disable_classes|short_open_tag|enable_dl|extension_dir|include_path|doc_root|user_dir|output_(?:handler|buffering)|precision|serialize_precision|engine|variables_order|request_order|implicit_flush|zlib\.output_\w+|allow_(?:url_\w+|call_time_pass_reference)|arg_separator\.\w+|assert\.\w+|auto_(?:detect_line_endings|globals_jit)|browscap|date\.\w+|default_(?:charset|mimetype|socket_timeout)|docref_\w+|error_log|exif\.\w+|expose_php|allow_webdav_methods|asp_tags|bcmath\.\w+|birdstep\.\w+|child_terminate|curl\.cainfo|dba\.\w+|gd\.\w+|highlight\.\w+|ibase\.\w+|imlib2\.\w+|intl\.\w+|last_modified|ldap\.\w+|mcrypt\.\w+|memcached?\.\w+|msql\.\w+|mssql\.\w+|oci8\.\w+|odbc\.\w+|openssl\.(?:cafile|capath)|pgsql\.\w+|printer\.\w+|pspell\.\w+|sasl\.\w+|sybct\.\w+|tidy\.\w+|xbithack|xsl\.\w+|y2k_compliance|zend_extension\w*|file_uploads|hard_timeout|iconv\.\w+|ignore_(?:user_abort|repeated_\w+)|log_errors\w*|mail\.\w+|max_file_uploads|mysql(?:i|nd)?\.\w+|pdo\w*\.\w+|realpath_cache_\w+|report_\w+leaks|runkit\.\w+|session\.(?:save|use|cookie|auto|upload|gc|serialize|trans|sid|name|referer|cache)\w*|sendmail_(?:from|path)|soap\.\w+|sql\.safe_mode|sqlite3?\.\w+|sys_temp_dir|syslog\.\w+|sysvshm\.\w+|track_errors|unserialize_\w+|uploadprogress\.\w+|url_rewriter\.\w+|user_agent|windows\.\w+|xmlrpc_\w+|xml_parser\.\w+)\s*=\s*(?:on|off|true|false|\d|['"/])`,
	`(?i)\$_(?:get|post|request|cookie|server|files|env|session)\b`, `(?i)\$(?:globals|http_(?:get|post|cookie|server|raw)_\w+|argv|argc|php_errormsg)\b`, `(?i)\b(?:allow_url_include|auto_prepend_file|auto_append_file|disable_functions|open_basedir|safe_mode|suhosin\.simulation|cgi\.force_redirect|cgi\.redirect_status_env)\b\s*=`,
	`(?i)\bO:\d+:"[^"]{1,60}":\d+:\{`, `\$[@$]*[a-zA-Z_{][\w@$.{}-]{0,30}(?:\[[^\]]{1,20}\])?\}?\s?\(\s*(?:['"$@]|\d+\)|\))`, `\$\w{1,30}->\$?\w{1,30}\s?\(`, `\$ {1,30}\{ {0,20}@?\$?[\w.]{1,20} {0,9}\}`, `(?i)\bphp[-_]?(?:input|filter)\b/?`, `(?i)\b(?:include|require)\s*\(?\s*['"$]`, `(?i)\.ph(?:p\d?|tml|ar|ps|pt)(?:[./]|$).{0,40}\.(?:jpe?g|png|gif|txt)$`, `(?i)\bcallable\b|\b\w{3,30}::__construct`,
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
