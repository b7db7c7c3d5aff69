-- The queries of a dashboard, each a panel: its name is the comment above it. FINAL counts a line once that was sent twice.

-- Bytes over time
SELECT toStartOfHour(ts) AS hour,
    sum(JSONExtractUInt(line, 'data', 'bytes_from_server')) AS down, sum(JSONExtractUInt(line, 'data', 'bytes_from_client')) AS up
FROM ftp FINAL WHERE event = 'transfer' GROUP BY hour ORDER BY hour;

-- Transfers by outcome
SELECT JSONExtractString(line, 'transfer', 'outcome') AS outcome, count() AS transfers
FROM ftp FINAL WHERE event = 'transfer' GROUP BY outcome ORDER BY transfers DESC, outcome;

-- Users by bytes
SELECT user, count() AS transfers,
    sum(JSONExtractUInt(line, 'data', 'bytes_from_server')) AS down, sum(JSONExtractUInt(line, 'data', 'bytes_from_client')) AS up
FROM ftp FINAL WHERE event = 'transfer' GROUP BY user ORDER BY down + up DESC, user LIMIT 25;

-- Refused logins by client
SELECT JSONExtractString(line, 'client', 'ip') AS client, count() AS refused, uniqExact(user) AS users
FROM ftp FINAL WHERE event = 'login' AND JSONExtractString(line, 'login', 'outcome') = 'failure'
GROUP BY client ORDER BY refused DESC, client LIMIT 25;

-- Logins in clear text
SELECT countIf(NOT JSONExtractBool(line, 'login', 'encrypted')) AS clear_text, count() AS logins
FROM ftp FINAL WHERE event = 'login';

-- Reply times by verb
SELECT JSONExtractString(line, 'command', 'verb') AS verb, count() AS replies,
    quantile(0.5)(JSONExtractUInt(line, 'latency_us')) AS median_us, max(JSONExtractUInt(line, 'latency_us')) AS max_us
FROM ftp FINAL WHERE event = 'reply' AND JSONHas(line, 'latency_us') GROUP BY verb ORDER BY replies DESC, verb;

-- Alerts
SELECT JSONExtractString(line, 'alert', 'id') AS detector, max(JSONExtractUInt(line, 'alert', 'severity')) AS severity, count() AS alerts
FROM ftp FINAL WHERE event = 'alert' GROUP BY detector ORDER BY severity DESC, alerts DESC, detector;

-- Who moved what
SELECT ts, user, JSONExtractString(line, 'client', 'ip') AS client, JSONExtractString(line, 'transfer', 'verb') AS verb,
    JSONExtractString(line, 'transfer', 'path') AS path, JSONExtractUInt(line, 'transfer', 'bytes') AS bytes,
    JSONExtractString(line, 'transfer', 'outcome') AS outcome, session
FROM ftp FINAL WHERE event = 'transfer' ORDER BY ts DESC, session LIMIT 500;
