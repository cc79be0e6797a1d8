package managed

import "gatehouse/internal/lang/wafrules"

func sqlDatabase() source {
	detect := func(p part) wafrules.Statement {
		return wafrules.Statement{SqliMatch: &wafrules.SqliMatchStatement{FieldToMatch: p.field, TextTransformations: decoded, SensitivityLevel: "LOW"}}
	}
	// The service spells one label differently.
	oddPath := uriPath
	oddPath.label = "_UriPath"
	rules := family("SQLi", detect, queryArguments, body, cookie, uriPath)
	rules = append(rules, family("SQLiExtendedPatterns", in(sqlPatterns, decoded), queryArguments, body, header, oddPath)...)
	return source{name: "AWSManagedRulesSQLiRuleSet", namespace: "sql-database", capacity: 200, rules: rules,
		description: "Contains rules that allow you to block request patterns associated with exploitation of SQL databases, like SQL injection attacks. This can help prevent remote injection of unauthorized queries."}
}

// gap is what may stand between two words of SQL: white space and comments.
const gap = `(?:[\s(+]|/\*[^*]*\*/|--[^\n]*\n|#[^\n]*\n)`

// sqlPatterns find what the detector's fingerprints miss. Each needs a combination that
// prose does not have.
var sqlPatterns = []string{
	`(?i)\bunion\b` + gap + `+(?:all|distinct|distinctrow)?` + gap + `*[\s('"]{0,9}select\b`,
	`(?i)\bselect\b.{1,100}?\bfrom\b.{1,60}?(?:\bwhere\b.{1,40}?[=<>]|information_schema|--|;|/\*|\blimit\b\s*\d|\bunion\b)`,
	`(?i)(?:^|[;'")\s])select\b[^a-z]{1,10}(?:@@|\*\s*(?:from|,|/)|\d+|null|char\s*\(|concat|version\s*\(|user\s*\(|database\s*\(|load_file|count\s*\(|case\b)`,
	`(?i)\binsert` + gap + `+into\b.{1,80}?\b(?:values\b|select\b|set\b)`, `(?i)\bupdate\b[^,.]{1,60}?\bset\b[^,.]{1,40}?=`,
	`(?i)\bdelete` + gap + `+from\b` + gap + `+[\w."` + "`" + `]+\s*(?:\bwhere\b|;|--|#|/\*)`, `(?i)\b(?:drop|truncate|alter|create)` + gap + `+(?:table|database|schema|view|index|procedure|function|trigger|user)\b` + gap + `+[\w'"` + "`" + `]`,
	`(?i)\b(?:sleep|exp)\s?\(\s*['"\d(@~]`, `(?i)\)\s*\(?\s*[|&!]?\s*\(\s*\w{1,40}\s*[~<>]?=`, `(?i)\b(?:benchmark|pg_sleep|load_file|extractvalue|updatexml|group_concat|xmltype|utl_http\.request|utl_inaddr\.get_host_\w+|dbms_\w+\.\w+|ctxsys\.drithsx\.sn|name_const|procedure` + gap + `+analyse|row_count|found_rows|char_length|from_base64|json_keys|exp\s*\(\s*~|gtid_subset|multipoint|polygon)\(`,
	`(?i)\bwaitfor` + gap + `+(?:delay|time)\b`, `(?i)\binto` + gap + `+(?:outfile|dumpfile)\b`, `(?i)\b(?:xp_(?:cmdshell|regread|dirtree|availablemedia|fileexist|ntsec|terminate)|sp_(?:executesql|oacreate|makewebtask|password|addextendedproc))\b`,
	`(?i)\b(?:information_schema|sysobjects|syscolumns|sysusers|sysdatabases|pg_catalog|pg_shadow|pg_user|sqlite_(?:master|temp_master|version)|msysaccessobjects|mysql\.(?:user|db)|all_tables|user_tables|all_tab_columns|dba_\w{3,30}|all_(?:users|objects|views|constraints|source|col_\w+|db_links)|user_(?:objects|views|constraints|tab_\w+|users|role_privs|sys_privs|triggers|source)|performance_schema|sys(?:cat|ibm)\.\w|syscolumns|sysprocesses|syslogins|sysxlogins|sysusers|syscomments|sysobjects|sys\.(?:tables|columns|objects|schemas|databases|sql_logins|user\$|obj\$)|pg_(?:toast|temp_\d+|roles|tables|database|stat_\w+|namespace|class|attribute|authid|settings|user)\b|rdb\$\w+|v\$(?:session|instance|database|parameter)|msys(?:objects|queries|relationships|aces|imexs?\w+)|innodb_(?:table|index)_stats|sqlite_(?:stat\d|sequence|schema)|master\.\.|tempdb|northwind|v\$version)\b`,
	`(?i)['"` + "`" + `)]\s*(?:or|and|xor|div|like|between|\|\||&&)\s*(?:\(|not\b|!)*\s*['"` + "`" + `(]*[\w.@-]*['"` + "`" + `)]*\s*(?:=|<|>|!=|<=>|\blike\b|\brlike\b|\bregexp\b|\bin\s*\(|\bis\b|\bbetween\b|sounds\s+like)`,
	`(?i)\b(?:or|and|xor)\b` + gap + `+(?:not\s+)?(?:\d{1,10}\s*(?:[=<>]{1,2}|\blike\b)\s*\d|['"][^'"]{0,40}['"]\s*(?:[=<>]{1,2}|\blike\b)\s*['"]|(?:true|false|null)\b\s*(?:--|#|;|$))`,
	`['"] ?(?:--|#|/\*)\s*(?:$|[-\w+])`, `['"] ?; ?(?:--|#|/\*|$)`, `(?i);\s*(?:select|insert|update|delete|drop|exec(?:ute)?|declare|shutdown|create|alter|truncate|grant|revoke|merge|call|begin|commit|waitfor)\b[\s(@]`,
	`(?i)/\*!\s?\d*`, `(?i)\b(?:order|group)` + gap + `+by` + gap + `+\d+\s*(?:--|#|/\*|,|;|$)`, `(?i)\bhaving\b` + gap + `+['"]?\w+['"]?\s*[=<>]`,
	`(?i)@@(?:version|hostname|datadir|global|session|servername|basedir|innodb)`, `(?i)\b(?:char|chr|nchar|unhex|hex|ascii|substring|substr|mid|ord|concat|concat_ws|elt|make_set|convert|cast|conv|bin)\s?\(\s*(?:0x[0-9a-f]{2}|\d{2,3}\s*[,)]|select\b|@@|user\b|version\b|database\b|current_user)`,
	`(?i)\b(?:version|user|database|current_user|current_database|system_user|session_user|schema|last_insert_id|connection_id)\s*\(\s*\)`, `(?i)\bcase` + gap + `+when\b.{1,60}?\bthen\b`, `(?i)\bif\s*\(\s*\w{0,20}\s*\(?.{1,40}?,.{1,30}?,.{1,30}?\)`,
	`(?i)\bexec(?:ute)?` + gap + `+(?:immediate|master\.|xp_|sp_|\(|@)`, `(?i)\bdeclare\b\s*@\w+`, `(?i)\b(?:rlike|regexp|sounds` + gap + `+like)\b\s*['"(\d]`,
	`(?i)\blike\b\s*['"(%]{1,3}[%\w]`, `' ?(?:\+|\|\|) ?'`, `(?i)(?:^|[\w)])['"] ?(?:=|<>|!=|<=>|<<|>>|\^|\*|/|%|div\b|mod\b)\s*['"(]`, `(?i)\bnull\b` + gap + `*,` + gap + `*null\b`,
	`(?i)(?:[=,(]|\bselect\b|\bunion\b|\blike\b)\s*0x(?:[2-7][0-9a-f]){4,}\b`, `(?i)\b(?:is|not)\b` + gap + `+null\b\s*(?:--|#|;|\)|\bor\b|\band\b|$)`, `(?i)\bin` + gap + `*boolean` + gap + `+mode\b`, `(?i)\bcoalesce\s*\(|\bgenerate_series\s*\(|\bcurrent_setting\s*\(|\bpg_read_file\s*\(|\blo_import\s*\(`,
	`(?i)::(?:jsonb?|int\d?|integer|text|varchar|numeric|bytea|date|regclass)\b`, `(?i)['"}\])]\s?(?:<@|@>|\?\||\?&|#>>?|@@|@\?)`, `(?i)\b(?:sqlite_\w{3,30}|find_in_set|json_\w{3,20}|jsonb_\w{3,30}|starts_with|lo_(?:get|put|export|from_bytea)|pg_[a-z_]{3,30}|db_name|substr_count|regexp_(?:like|replace|substr|instr)|st_\w{3,20}|to_(?:char|date|number|timestamp|base64)|group_replication_\w+|ts_rank|unistr|quote_(?:ident|literal)|array_agg|string_agg|row_to_json|query_to_xml|database_to_xml|total_changes|changes|likelihood|unlikely|randomblob|zeroblob|soundex|hex|glob|iif|ifnull|nullif|instr|typeof|last_insert_rowid|load_extension|strftime|julianday|unixepoch)\s?\([\w'"\s]{0,30}[,)]`,
	`(?i)\b(?:database|db_name|current_user|session_user|schema_name)\s*\(`, `(?i)\d\.e[(.]`, `(?i)\bselect\s+if\s*\(`, `(?i)\)\s?like\s?\(`, `(?i)\bgroup\s+by\b.{1,60}?\bhaving\b`, `2\.2250738585072011e-308|\b4294967296\b`, `(?i)\bas\s+["` + "`" + `]\w+["` + "`" + `]\s+from\b`, `(?i)\bnot\s+similar\s+to\b`,
	// A value that is nothing but a call of a function of databases.
	`(?i)^\s*(?:` + words(`abs acos ascii asin atan2? avg benchmark bin bit_\w+ ceil(?:ing)? char(?:acter)?(?:_length)? chr coalesce compress concat(?:_ws)? connection_id conv cos(?:h)? cot count crc32 cur(?:date|time) database datediff
		decode degrees des_\w+ elt encode encrypt exp export_set extract(?:value)? field find_in_set floor format from_\w+ geomfromtext get_lock greatest group_concat hex if ifnull inet_\w+ insert instr interval isnull json_\w+ last_insert_id
		lcase least left length ln load_file locate log(?:2|10)? lower lpad ltrim make(?:_set|date|time) max md5 microsecond mid min mod nullif oct octet_length old_password ord password pg_\w+ pi position pow(?:er)? quarter quote radians rand
		random repeat replace reverse right round row_count rpad rtrim schema session_user sha[12]? sign sin(?:h)? sleep soundex space sqrt std(?:dev)? strcmp substr(?:ing)?(?:_index)? sum sysdate system_user tan timestamp to_\w+ trim truncate
		ucase uncompress unhex unix_timestamp updatexml upper user utc_\w+ uuid(?:_short)? values var_pop variance version week(?:day)? xmltype`) + `)\\?\s?\((?:[^()]{0,40}\)?)\s*$`,
	`(?i)\bselect\b[\s(]{1,9}(?:sleep|benchmark|pg_sleep|waitfor|version|user|database|load_file|current_\w+|session_user|system_user)\b`, `(?i)\bprocedure\s+analyse\s*\(`, `(?i)[}\]]['"]\s*(?:->>?|\?|[<>=]|#>>?|@>|\bin\b|\blike\b)\s*['"\d$]`, "` ?; ?$", `(?i)\bas["']\s*from\b`, `(?i)\bmsdb\b`,
	`(?i)^['"]\s?(?:select|union|insert|update|delete|drop|exec|execute|declare|waitfor|having|create|alter|shutdown)\s+[\w@*('"-]`, `\)\s?\(\s{0,5}[|&]`, `(?i)^\s*(?:div|gcd|lcm|cbrt|trunc|width_bucket|setseed|scale|string_to_array|array_to_string|regexp_split_to_\w+|strpos|btrim|initcap|translate|split_part|to_hex|age|justify_\w+|xpath|unnest|generate_\w+|nvl2?|decode|listagg|stuff|patindex|charindex|quotename|newid|getdate|host_name|suser_s?name|is_srvrolemember|openrowset|openquery|opendatasource|object_(?:id|name)|col_name|randomblob|quote|printf|total|zeroblob)\s?\([^()]{0,60}\)?\s*$`,
	`(?i)\bload\s+(?:data|xml)\b.{0,40}?\binfile\b`, `(?i)\bcreate\s+(?:or\s+replace\s+|temporary\s+|aggregate\s+){0,2}function\b.{1,60}?\breturns\b`, `(?i)\bselect\b.{1,60}?\binto\s{1,5}@`, `(?i)\bunion\b(?:\s|/\*[^*]*\*/|[(+]){0,9}(?:all|distinct)?(?:\s|/\*[^*]*\*/|[(+]){0,9}(?:select|values|table)\b`,
	`(?i)\b(?:openrowset|opendatasource|openquery|suser_s?name|is_srvrolemember|fn_virtualfilestats|fn_xe_file_target_read_file|sys_eval|sys_exec|utl_file|utl_smtp|dbms_\w{2,20}\.\w|xmlforest|extractvalue|httpuritype|sys_context|sys\.fn_\w+)\s?[(.]`,
	`(?i)\{\s*['"]?\$(?:ne|gt|gte|lt|lte|eq|in|nin|regex|where|or|and|not|exists|elemmatch|size|func)\b`, `(?i)\[\$(?:ne|gt|gte|lt|lte|eq|in|nin|regex|where|or|and|exists|elemmatch|not|size|type|mod)\]`, `(?i)^\$(?:ne|gt|gte|lt|lte|eq|in|nin|regex|where|exists|elemmatch|not|nor|text|or|and|expr|jsonschema|mod|all|size|type)$`,
}
