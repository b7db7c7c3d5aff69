-- Events as ftpmon writes them with --format json, each line a row. docs/shippers/clickhouse.md has the route.

CREATE TABLE ftp (
    ts DateTime64(9), event LowCardinality(String), sensor LowCardinality(String), run String, seq UInt64,
    session String, user String, line String
) ENGINE = ReplacingMergeTree ORDER BY (sensor, run, seq);

CREATE TABLE ftp_lines (line String) ENGINE = Null;

CREATE MATERIALIZED VIEW ftp_of_lines TO ftp AS SELECT
    parseDateTime64BestEffort(JSONExtractString(line, 'ts'), 9) AS ts, JSONExtractString(line, 'event') AS event,
    JSONExtractString(line, 'sensor') AS sensor, JSONExtractString(line, 'run') AS run, JSONExtractUInt(line, 'seq') AS seq,
    JSONExtractString(line, 'session') AS session, JSONExtractString(line, 'user') AS user, line
FROM ftp_lines;
