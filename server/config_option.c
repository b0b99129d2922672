// The settings: how each is read from its text, and the table of all of them.
#include "server/config_parts.h"

#include "base/limits.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    POOL_SIZE_MAX = 200,
    SUGGEST_DISTANCE_MAX = 3, // edits between a typing mistake and what was meant
};

// --- values --------------------------------------------------------------------------------------------------------

char *ch_config_copy_text(struct ch_config *config, const char *value, struct charle_error *err)
{
    size_t size = strlen(value) + 1;
    char *text = charle_arena_alloc(&config->arena, size);
    if (!text)
        charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
    else
        memcpy(text, value, size);
    return text;
}

enum charle_err ch_config_copy(struct ch_config *config, const char *value, const char **out, struct charle_error *err)
{
    *out = ch_config_copy_text(config, value, err);
    return *out ? CHARLE_OK : CHARLE_NO_MEMORY;
}

static enum charle_err read_switch(const char *name, const char *value, bool *out, struct charle_error *err)
{
    if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "on") == 0)
        *out = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0 || strcmp(value, "no") == 0 ||
             strcmp(value, "off") == 0)
        *out = false;
    else
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s is a switch and takes true or false, not \"%.40s\"", name,
                           value);
    return CHARLE_OK;
}

enum charle_err ch_config_listen_add(struct ch_config *config, const char *value, struct charle_error *err)
{
    static const char *const schemes[] = {"tcp://", "tls+tcp://", "ipc://"};
    bool is_known = false;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        is_known |= strncmp(value, schemes[i], strlen(schemes[i])) == 0 && value[strlen(schemes[i])] != '\0';
    if (!is_known)
        return charle_fail(
            err, CHARLE_INVALID_ARGUMENT,
            "cannot listen on \"%.100s\": an address is tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///PATH", value);
    if (config->listen_count == CH_CONFIG_LISTEN_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d addresses can be listened on",
                           CH_CONFIG_LISTEN_MAX);
    enum charle_err rc = ch_config_copy(config, value, &config->listen[config->listen_count], err);
    config->listen_count += rc == CHARLE_OK;
    return rc;
}

static bool is_bus_address(const char *value)
{
    static const char *const schemes[] = {"tcp://", "tls+tcp://", "ipc://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(value, schemes[i], len) == 0)
            return i == 2 ? value[len] != '\0' : strrchr(value + len, ':') != NULL;
    }
    return false;
}

static enum charle_err check_bus_address(const char *name, const char *value, struct charle_error *err)
{
    if (is_bus_address(value))
        return CHARLE_OK;
    return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                       "%s cannot be \"%.100s\": an address is tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///PATH", name, value);
}

static enum charle_err apply_hints_listen(struct ch_config *config, const char *value, struct charle_error *err)
{
    enum charle_err rc = check_bus_address("hints-listen", value, err);
    return rc ? rc : ch_config_copy(config, value, &config->hints_listen, err);
}

static enum charle_err apply_peer(struct ch_config *config, const char *value, struct charle_error *err)
{
    enum charle_err rc = check_bus_address("peer", value, err);
    if (rc == CHARLE_OK && config->peer_count == CH_CONFIG_PEERS_MAX)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d peers can be given", CH_CONFIG_PEERS_MAX);
    if (rc == CHARLE_OK)
        rc = ch_config_copy(config, value, &config->peers[config->peer_count], err);
    config->peer_count += rc == CHARLE_OK;
    return rc;
}

// Addresses of standbys, separated by spaces, which a URL does not have.
static enum charle_err apply_read_from(struct ch_config *config, const char *value, struct charle_error *err)
{
    char *rest = ch_config_copy_text(config, value, err);
    enum charle_err rc = rest ? CHARLE_OK : CHARLE_NO_MEMORY;
    while (rc == CHARLE_OK && rest) {
        char *url = strsep(&rest, " \t");
        if (!*url)
            continue;
        if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0)
            rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "read-from takes URLs, postgresql://user:password@host/name, separated by spaces");
        else if (config->read_from_count == CH_CONFIG_STANDBYS_MAX)
            rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d standbys can be read from", CH_CONFIG_STANDBYS_MAX);
        else
            config->read_from[config->read_from_count++] = url;
    }
    return rc;
}

static enum charle_err apply_log_format(struct ch_config *config, const char *value, struct charle_error *err)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "log-format is text or json, not \"%.40s\"", value);
    config->log_format = strcmp(value, "json") == 0 ? CH_LOG_JSON : CH_LOG_TEXT;
    return CHARLE_OK;
}

static enum charle_err apply_log_level(struct ch_config *config, const char *value, struct charle_error *err)
{
    if (!ch_log_level_read(value, &config->log_level))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "log-level is error, warn, info or debug, not \"%.40s\"",
                           value);
    return CHARLE_OK;
}

static enum charle_err read_count(const char *name, const char *value, long min, long max, uint32_t *out, struct charle_error *err)
{
    char *end;
    errno = 0;
    long count = strtol(value, &end, 10);
    if (errno || *end || end == value || count < min || count > max)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s is a number from %ld to %ld, not \"%.40s\"", name, min, max, value);
    *out = (uint32_t)count;
    return CHARLE_OK;
}

static enum charle_err apply_config(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)config, (void)value, (void)err; // found before the others, by find_config_file
    return CHARLE_OK;
}

// What the table below says of each. A wrong type of member does not compile.
#define AT(member, type) offsetof(struct ch_config, member) + 0 * sizeof(1 ? &((struct ch_config *)NULL)->member : (type *)NULL)
#define BY(function)            {.kind = CH_CONFIG_BY, .apply = (function)}
#define TEXT(member)            {.kind = CH_CONFIG_TEXT, .at = offsetof(struct ch_config, member)}
#define COUNT(member, low, top) {.kind = CH_CONFIG_COUNT, .at = AT(member, uint32_t), .min = (low), .max = (top)}
#define SWITCH(member)          {.kind = CH_CONFIG_SWITCH, .at = AT(member, bool)}
#define ACTION(action)          {.kind = CH_CONFIG_ACTION, .min = (action)}

enum charle_err ch_config_option_take(const struct ch_config_option *option, struct ch_config *config, const char *value, struct charle_error *err)
{
    void *place = (char *)config + option->take.at;
    switch (option->take.kind) {
    case CH_CONFIG_BY:
        return option->take.apply(config, value, err);
    case CH_CONFIG_TEXT:
        return ch_config_copy(config, value, place, err);
    case CH_CONFIG_COUNT:
        return read_count(option->name, value, option->take.min, option->take.max, place, err);
    case CH_CONFIG_SWITCH:
        return read_switch(option->name, value, place, err);
    case CH_CONFIG_ACTION:
        config->action = (enum ch_config_action)option->take.min;
        break;
    }
    return CHARLE_OK;
}

// --- the table -----------------------------------------------------------------------------------------------------

const struct ch_config_option ch_config_options[] = {
    {"listen", "CHARLE_LISTEN", "ADDRESS", CH_CONFIG_FLAG | CH_CONFIG_FILE | CH_CONFIG_LIST, BY(ch_config_listen_add),
     "where to answer; may be given several times (environment: separated by commas)\n"
     "tcp://127.0.0.1:4317 (the default), tls+tcp://0.0.0.0:4317, ipc:///run/charled.sock"},
    {"data-dir", "CHARLE_DATA_DIR", "FOLDER", CH_CONFIG_FLAG, TEXT(data_dir),
     "what the server keeps: its lock, its settings, the private PostgreSQL\n"
     "default: /var/lib/charle for root, else ~/.local/share/charle"},
    {"database-url", "DATABASE_URL", "URL", CH_CONFIG_FILE | CH_CONFIG_SECRET, TEXT(database_url),
     "any libpq URL: postgresql://user:password@host/name?sslmode=verify-full\n"
     "without one the server runs a private PostgreSQL in its data folder"},
    {"pool-size", "CHARLE_POOL_SIZE", "N", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(pool_size, 1, POOL_SIZE_MAX),
     "connections to PostgreSQL that run calls (default 8)"},
    {"file-max", "CHARLE_FILE_MAX", "MIB", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(file_max_mib, 1, (long)(CH_FILE_SIZE_LIMIT >> 20)), "the largest file that may be attached (1024)"},
    {"files-max", "CHARLE_FILES_MAX", "MIB", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(files_max_mib, 1, 1L << 30), "room for all attached files together (65536)"},
    {"keep-files", "CHARLE_KEEP_FILES", "DAYS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(keep_files_days, 1, 3650),
     "how long to keep files that nothing refers to (7)"},
    {"keep-log", "CHARLE_KEEP_LOG", "DAYS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(keep_log_days, 1, 3650),
     "how long changes are kept (default 400); a replica that was away for longer is compared and repaired"},
    {"upkeep-every", "CHARLE_UPKEEP_EVERY", "SECONDS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(upkeep_every_s, 0, 7 * 86400),
     "time between two rounds of thinning out the change log (default 3600, 0: never)"},
    {"seed-files", "CHARLE_SEED_FILES", "on|off", CH_CONFIG_FLAG | CH_CONFIG_FILE, SWITCH(makes_seeds),
     "make files of large scopes, which new replicas fetch instead of copying row by row (default on)"},
    {"seed-rows", "CHARLE_SEED_ROWS", "ROWS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(seed_rows, 1, 1000000000), "from how many rows on a scope gets a seed file (default 50000)"},
    {"seed-size", "CHARLE_SEED_SIZE", "MIB", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(seed_size_mib, 1, 1 << 24),
     "disk that seed files may take in all, in the data folder; the one being made comes on top (default 8192)"},
    {"seed-every", "CHARLE_SEED_EVERY", "SECONDS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(seed_every_s, 0, 365 * 86400),
     "make seed files anew that are older (default 86400, 0: only when replicas could not go on from them)"},
    {"tls-cert", "CHARLE_TLS_CERT", "FILE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(tls_cert_file), "certificate chain for tls+tcp:// (PEM)"},
    {"tls-key", "CHARLE_TLS_KEY", "FILE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(tls_key_file), "its private key (PEM)"},
    {"allow-plaintext", "CHARLE_ALLOW_PLAINTEXT", NULL, CH_CONFIG_FLAG | CH_CONFIG_FILE, SWITCH(allow_plaintext),
     "let tcp:// answer other machines without encryption (behind a TLS proxy)"},
    {"hints-listen", "CHARLE_HINTS_LISTEN", "ADDRESS", CH_CONFIG_FLAG | CH_CONFIG_FILE, BY(apply_hints_listen),
     "where other servers of the same database tell this one of their commits\n"
     "tcp://10.0.0.1:4318, tls+tcp://…, ipc:///run/charle/hints.sock"},
    {"peer", "CHARLE_PEERS", "ADDRESS", CH_CONFIG_FLAG | CH_CONFIG_FILE | CH_CONFIG_LIST, BY(apply_peer),
     "hints-listen of another server; may be given several times (environment: separated by commas)"},
    {"hints-secret", "CHARLE_HINTS_SECRET", "FILE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(hints_secret_file),
     "what all servers of the database share, at least 16 bytes: `openssl rand -hex 32 > FILE; chmod 600 FILE`"},
    {"hints-ca", "CHARLE_HINTS_CA", "FILE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(hints_ca_file),
     "who signed the certificates of tls+tcp peers (PEM); then both sides show theirs"},
    {"read-from", "CHARLE_READ_FROM", "URLS", CH_CONFIG_FILE | CH_CONFIG_SECRET, BY(apply_read_from),
     "hot standbys of the database, separated by spaces: pulls, first copies and comparisons are read there"},
    {"read-lag", "CHARLE_READ_LAG", "MS", CH_CONFIG_FLAG | CH_CONFIG_FILE, COUNT(read_lag_ms, 1, 20000),
     "a standby that is further behind is left out (default 1000)"},
    {"operators", "CHARLE_OPERATORS", "SCOPE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(operators_scope),
     "people who hold this scope may see who is connected: `charle status --remote` (default admins)"},
    {"migrate", "CHARLE_MIGRATE", NULL, CH_CONFIG_FLAG | CH_CONFIG_FILE, SWITCH(may_migrate),
     "apply missing migrations at start (always done on a private PostgreSQL)"},
    {"development", "CHARLE_DEVELOPMENT", NULL, CH_CONFIG_FLAG | CH_CONFIG_FILE, SWITCH(is_development), "for local work: implies --migrate"},
    {"log-format", "CHARLE_LOG_FORMAT", "text|json", CH_CONFIG_FLAG | CH_CONFIG_FILE, BY(apply_log_format),
     "form of the log lines (default text)"},
    {"log-level", "CHARLE_LOG_LEVEL", "LEVEL", CH_CONFIG_FLAG | CH_CONFIG_FILE, BY(apply_log_level), "error, warn, info (default) or debug"},
    {"log-file", "CHARLE_LOG_FILE", "FILE", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(log_file),
     "append the log here instead of standard error; SIGHUP opens it anew"},
    {"postgres-bin", "CHARLE_POSTGRES_BIN", "FOLDER", CH_CONFIG_FLAG | CH_CONFIG_FILE, TEXT(postgres_bin),
     "PostgreSQL's programs, when they are in an unusual place"},
    {"config", "CHARLE_CONFIG", "FILE", CH_CONFIG_FLAG, BY(apply_config),
     "settings file, `name = value` a line (default <data-dir>/charled.conf)"},
    {"database-only", NULL, NULL, CH_CONFIG_FLAG, SWITCH(database_only),
     "run and migrate the private PostgreSQL, but answer no calls: for work on the data"},
    {"check", NULL, NULL, CH_CONFIG_FLAG, ACTION(CH_CONFIG_CHECK), "check the settings and reach the database, then leave"},
    {"print-schema", NULL, NULL, CH_CONFIG_FLAG, ACTION(CH_CONFIG_SCHEMA), "print the tables as SQL: the first migration, or what the next one leads to"},
    {"help", NULL, NULL, CH_CONFIG_FLAG, ACTION(CH_CONFIG_HELP), "this text"},
    {"version", NULL, NULL, CH_CONFIG_FLAG, ACTION(CH_CONFIG_VERSION), "version and schema"},
};
const size_t ch_config_option_count = sizeof(ch_config_options) / sizeof(ch_config_options[0]);
_Static_assert(sizeof(ch_config_options) / sizeof(ch_config_options[0]) <= CH_CONFIG_OPTIONS_MAX, "more settings than a reader has places for");

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

// Levenshtein distance; texts past CH_CONFIG_OPTION_LEN_MAX are "far".
static int edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n >= CH_CONFIG_OPTION_LEN_MAX || m >= CH_CONFIG_OPTION_LEN_MAX)
        return CH_CONFIG_OPTION_LEN_MAX;
    int row[CH_CONFIG_OPTION_LEN_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int above = row[j];
            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const struct ch_config_option *ch_config_option_find(const char *name)
{
    for (size_t i = 0; i < ch_config_option_count; i++)
        if (strcmp(ch_config_options[i].name, name) == 0)
            return &ch_config_options[i];
    return NULL;
}

const struct ch_config_option *ch_config_option_nearest(const char *name, unsigned where)
{
    const struct ch_config_option *best = NULL;
    int best_distance = SUGGEST_DISTANCE_MAX + 1;
    for (size_t i = 0; i < ch_config_option_count; i++) {
        if (!(ch_config_options[i].where & where))
            continue;
        int distance = edit_distance(name, ch_config_options[i].name);
        if (distance < best_distance) {
            best = &ch_config_options[i];
            best_distance = distance;
        }
    }
    return best;
}
