#include "server/config.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "server/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONFIG_FILE_SIZE_MAX = 64 << 10, // a settings file is a page; more is the wrong file
    POOL_SIZE_DEFAULT = 8,
    POOL_SIZE_MAX = 200,
    READ_LAG_MS_DEFAULT = 1000,
    UPKEEP_EVERY_S_DEFAULT = 3600,
    KEEP_FILES_DAYS_DEFAULT = 7, // a laptop has uploaded a file, and its call follows within a week
    KEEP_LOG_DAYS_DEFAULT = 400, // a year away, and some
    SEED_ROWS_DEFAULT = 50000,     // fewer are copied in half a second
    SEED_SIZE_MIB_DEFAULT = 8192,
    SEED_EVERY_S_DEFAULT = 86400,
    SUGGEST_DISTANCE_MAX = 3, // edits between a typing mistake and what was meant
    OPTION_LEN_MAX = 40,
    PATH_SIZE_MAX = 4096
};

enum source { SOURCE_NONE, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

// Takes a setting's text; `value` is in the config's arena. Flags without a value get "true".
typedef enum charle_err (*apply_fn)(struct ch_config *config, const char *value, struct charle_error *err);

struct option {
    const char *name;        // "data-dir": the flag without dashes, also the key in the file
    const char *environment; // NULL: none
    const char *value;       // its name in the help; NULL: a switch
    bool is_flag;            // may stand on the command line
    bool is_in_file;
    apply_fn apply;
    const char *help;
};

// --- values --------------------------------------------------------------------------------------------------------

static char *copy_text(struct ch_config *config, const char *value, struct charle_error *err)
{
    size_t size = strlen(value) + 1;
    char *text = charle_arena_alloc(&config->arena, size);
    if (!text)
        charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
    else
        memcpy(text, value, size);
    return text;
}

static enum charle_err copy(struct ch_config *config, const char *value, const char **out, struct charle_error *err)
{
    *out = copy_text(config, value, err);
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

static bool is_local_host(const char *host, size_t len)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]", "::1"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && strncmp(names[i], host, len) == 0)
            return true;
    return len > 4 && strncmp(host, "127.", 4) == 0;
}

bool ch_config_is_exposed(const char *address)
{
    if (strncmp(address, "tcp://", 6) != 0 && strncmp(address, "ws://", 5) != 0)
        return false;
    const char *host = strstr(address, "://") + 3;
    const char *end = strrchr(host, ':');
    return !is_local_host(host, end ? (size_t)(end - host) : strlen(host));
}

static enum charle_err apply_listen(struct ch_config *config, const char *value, struct charle_error *err)
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
    enum charle_err rc = copy(config, value, &config->listen[config->listen_count], err);
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
    return rc ? rc : copy(config, value, &config->hints_listen, err);
}

static enum charle_err apply_peer(struct ch_config *config, const char *value, struct charle_error *err)
{
    enum charle_err rc = check_bus_address("peer", value, err);
    if (rc == CHARLE_OK && config->peer_count == CH_CONFIG_PEERS_MAX)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "at most %d peers can be given", CH_CONFIG_PEERS_MAX);
    if (rc == CHARLE_OK)
        rc = copy(config, value, &config->peers[config->peer_count], err);
    config->peer_count += rc == CHARLE_OK;
    return rc;
}

// Addresses of standbys, separated by spaces, which a URL does not have.
static enum charle_err apply_read_from(struct ch_config *config, const char *value, struct charle_error *err)
{
    char *rest = copy_text(config, value, err);
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

static enum charle_err apply_operators(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->operators_scope, err);
}

static enum charle_err apply_hints_secret(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->hints_secret_file, err);
}

static enum charle_err apply_hints_ca(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->hints_ca_file, err);
}

static enum charle_err apply_data_dir(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->data_dir, err);
}

static enum charle_err apply_database_url(struct ch_config *config, const char *value, struct charle_error *err)
{
    config->database_url = copy_text(config, value, err);
    return config->database_url ? CHARLE_OK : CHARLE_NO_MEMORY;
}

static enum charle_err apply_postgres_bin(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->postgres_bin, err);
}

static enum charle_err apply_log_file(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->log_file, err);
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

static enum charle_err apply_read_lag(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("read-lag", value, 1, 20000, &config->read_lag_ms, err);
}

static enum charle_err apply_pool_size(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("pool-size", value, 1, POOL_SIZE_MAX, &config->pool_size, err);
}

static enum charle_err apply_upkeep_every(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("upkeep-every", value, 0, 7 * 86400, &config->upkeep_every_s, err);
}

static enum charle_err apply_keep_files(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("keep-files", value, 1, 3650, &config->keep_files_days, err);
}

static enum charle_err apply_file_max(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("file-max", value, 1, (uint32_t)(CH_FILE_SIZE_LIMIT >> 20), &config->file_max_mib, err);
}

static enum charle_err apply_files_max(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("files-max", value, 1, 1u << 30, &config->files_max_mib, err);
}

static enum charle_err apply_keep_log(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("keep-log", value, 1, 3650, &config->keep_log_days, err);
}

static enum charle_err apply_seed_files(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_switch("seed-files", value, &config->makes_seeds, err);
}

static enum charle_err apply_seed_rows(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("seed-rows", value, 1, 1000000000, &config->seed_rows, err);
}

static enum charle_err apply_seed_size(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("seed-size", value, 1, 1 << 24, &config->seed_size_mib, err);
}

static enum charle_err apply_seed_every(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_count("seed-every", value, 0, 365 * 86400, &config->seed_every_s, err);
}

static enum charle_err apply_tls_cert(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->tls_cert_file, err);
}

static enum charle_err apply_tls_key(struct ch_config *config, const char *value, struct charle_error *err)
{
    return copy(config, value, &config->tls_key_file, err);
}

static enum charle_err apply_development(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_switch("development", value, &config->is_development, err);
}

static enum charle_err apply_migrate(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_switch("migrate", value, &config->may_migrate, err);
}

static enum charle_err apply_allow_plaintext(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_switch("allow-plaintext", value, &config->allow_plaintext, err);
}

static enum charle_err apply_database_only(struct ch_config *config, const char *value, struct charle_error *err)
{
    return read_switch("database-only", value, &config->database_only, err);
}

static enum charle_err apply_config(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)config, (void)value, (void)err; // found before the others, by find_config_file
    return CHARLE_OK;
}

static enum charle_err apply_check(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)value, (void)err;
    config->action = CH_CONFIG_CHECK;
    return CHARLE_OK;
}

static enum charle_err apply_help(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)value, (void)err;
    config->action = CH_CONFIG_HELP;
    return CHARLE_OK;
}

static enum charle_err apply_version(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)value, (void)err;
    config->action = CH_CONFIG_VERSION;
    return CHARLE_OK;
}

static enum charle_err apply_schema(struct ch_config *config, const char *value, struct charle_error *err)
{
    (void)value, (void)err;
    config->action = CH_CONFIG_SCHEMA;
    return CHARLE_OK;
}

// --- the table -----------------------------------------------------------------------------------------------------

static const struct option options[] = {
    {"listen", "CHARLE_LISTEN", "ADDRESS", true, true, apply_listen,
     "where to answer; may be given several times (environment: separated by commas)\n"
     "tcp://127.0.0.1:4317 (the default), tls+tcp://0.0.0.0:4317, ipc:///run/charled.sock"},
    {"data-dir", "CHARLE_DATA_DIR", "FOLDER", true, false, apply_data_dir,
     "what the server keeps: its lock, its settings, the private PostgreSQL\n"
     "default: /var/lib/charle for root, else ~/.local/share/charle"},
    {"database-url", "DATABASE_URL", "URL", false, true, apply_database_url,
     "any libpq URL: postgresql://user:password@host/name?sslmode=verify-full\n"
     "without one the server runs a private PostgreSQL in its data folder"},
    {"pool-size", "CHARLE_POOL_SIZE", "N", true, true, apply_pool_size,
     "connections to PostgreSQL that run calls (default 8)"},
    {"file-max", "CHARLE_FILE_MAX", "MIB", true, true, apply_file_max, "the largest file that may be attached (1024)"},
    {"files-max", "CHARLE_FILES_MAX", "MIB", true, true, apply_files_max, "room for all attached files together (65536)"},
    {"keep-files", "CHARLE_KEEP_FILES", "DAYS", true, true, apply_keep_files,
     "how long to keep files that nothing refers to (7)"},
    {"keep-log", "CHARLE_KEEP_LOG", "DAYS", true, true, apply_keep_log,
     "how long changes are kept (default 400); a replica that was away for longer is compared and repaired"},
    {"upkeep-every", "CHARLE_UPKEEP_EVERY", "SECONDS", true, true, apply_upkeep_every,
     "time between two rounds of thinning out the change log (default 3600, 0: never)"},
    {"seed-files", "CHARLE_SEED_FILES", "on|off", true, true, apply_seed_files,
     "make files of large scopes, which new replicas fetch instead of copying row by row (default on)"},
    {"seed-rows", "CHARLE_SEED_ROWS", "ROWS", true, true, apply_seed_rows, "from how many rows on a scope gets a seed file (default 50000)"},
    {"seed-size", "CHARLE_SEED_SIZE", "MIB", true, true, apply_seed_size,
     "disk that seed files may take in all, in the data folder; the one being made comes on top (default 8192)"},
    {"seed-every", "CHARLE_SEED_EVERY", "SECONDS", true, true, apply_seed_every,
     "make seed files anew that are older (default 86400, 0: only when replicas could not go on from them)"},
    {"tls-cert", "CHARLE_TLS_CERT", "FILE", true, true, apply_tls_cert, "certificate chain for tls+tcp:// (PEM)"},
    {"tls-key", "CHARLE_TLS_KEY", "FILE", true, true, apply_tls_key, "its private key (PEM)"},
    {"allow-plaintext", "CHARLE_ALLOW_PLAINTEXT", NULL, true, true, apply_allow_plaintext,
     "let tcp:// answer other machines without encryption (behind a TLS proxy)"},
    {"hints-listen", "CHARLE_HINTS_LISTEN", "ADDRESS", true, true, apply_hints_listen,
     "where other servers of the same database tell this one of their commits\n"
     "tcp://10.0.0.1:4318, tls+tcp://…, ipc:///run/charle/hints.sock"},
    {"peer", "CHARLE_PEERS", "ADDRESS", true, true, apply_peer,
     "hints-listen of another server; may be given several times (environment: separated by commas)"},
    {"hints-secret", "CHARLE_HINTS_SECRET", "FILE", true, true, apply_hints_secret,
     "what all servers of the database share, at least 16 bytes: `openssl rand -hex 32 > FILE; chmod 600 FILE`"},
    {"hints-ca", "CHARLE_HINTS_CA", "FILE", true, true, apply_hints_ca,
     "who signed the certificates of tls+tcp peers (PEM); then both sides show theirs"},
    {"read-from", "CHARLE_READ_FROM", "URLS", false, true, apply_read_from,
     "hot standbys of the database, separated by spaces: pulls, first copies and comparisons are read there"},
    {"read-lag", "CHARLE_READ_LAG", "MS", true, true, apply_read_lag,
     "a standby that is further behind is left out (default 1000)"},
    {"operators", "CHARLE_OPERATORS", "SCOPE", true, true, apply_operators,
     "people who hold this scope may see who is connected: `charle status --remote` (default admins)"},
    {"migrate", "CHARLE_MIGRATE", NULL, true, true, apply_migrate,
     "apply missing migrations at start (always done on a private PostgreSQL)"},
    {"development", "CHARLE_DEVELOPMENT", NULL, true, true, apply_development, "for local work: implies --migrate"},
    {"log-format", "CHARLE_LOG_FORMAT", "text|json", true, true, apply_log_format,
     "form of the log lines (default text)"},
    {"log-level", "CHARLE_LOG_LEVEL", "LEVEL", true, true, apply_log_level, "error, warn, info (default) or debug"},
    {"log-file", "CHARLE_LOG_FILE", "FILE", true, true, apply_log_file,
     "append the log here instead of standard error; SIGHUP opens it anew"},
    {"postgres-bin", "CHARLE_POSTGRES_BIN", "FOLDER", true, true, apply_postgres_bin,
     "PostgreSQL's programs, when they are in an unusual place"},
    {"config", "CHARLE_CONFIG", "FILE", true, false, apply_config,
     "settings file, `name = value` a line (default <data-dir>/charled.conf)"},
    {"database-only", NULL, NULL, true, false, apply_database_only,
     "run and migrate the private PostgreSQL, but answer no calls: for work on the data"},
    {"check", NULL, NULL, true, false, apply_check, "check the settings and reach the database, then leave"},
    {"print-schema", NULL, NULL, true, false, apply_schema, "print the tables as SQL: the first migration, or what the next one leads to"},
    {"help", NULL, NULL, true, false, apply_help, "this text"},
    {"version", NULL, NULL, true, false, apply_version, "version and schema"},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

struct reader {
    struct ch_config *config;
    uint8_t source[OPTION_COUNT]; // enum source: where each setting came from
};

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

// Levenshtein distance; texts past OPTION_LEN_MAX are "far".
static int edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n >= OPTION_LEN_MAX || m >= OPTION_LEN_MAX)
        return OPTION_LEN_MAX;
    int row[OPTION_LEN_MAX + 1];
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

static const struct option *find_option(const char *name)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static const struct option *nearest_option(const char *name, bool in_file)
{
    const struct option *best = NULL;
    int best_distance = SUGGEST_DISTANCE_MAX + 1;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (in_file ? !options[i].is_in_file : !options[i].is_flag)
            continue;
        int distance = edit_distance(name, options[i].name);
        if (distance < best_distance) {
            best = &options[i];
            best_distance = distance;
        }
    }
    return best;
}

// Applies a setting unless a stronger place has set it.
static enum charle_err put(struct reader *reader, const struct option *option, const char *value, enum source source,
                           struct charle_error *err)
{
    uint8_t *have = &reader->source[option - options];
    if (*have > source)
        return CHARLE_OK;
    *have = (uint8_t)source;
    return option->apply(reader->config, value, err);
}

// --- flags ---------------------------------------------------------------------------------------------------------

static enum charle_err unknown_flag(const char *text, const char *name, struct charle_error *err)
{
    const struct option *hidden = find_option(name);
    if (hidden && !hidden->is_flag)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "--%s is not a flag, because everyone on the machine can read a command line: set %s in the "
                           "environment, or %s in charled.conf",
                           hidden->name, hidden->environment, hidden->name);
    const struct option *near = nearest_option(name, false);
    if (near)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: did you mean --%s? See --help", text,
                           near->name);
    return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: see --help for all of them", text);
}

// Handles one argument (and its value, when that stands by itself). *index is moved behind what was used.
static enum charle_err read_flag(struct reader *reader, int argc, char *const *argv, int *index,
                                 struct charle_error *err)
{
    const char *text = argv[(*index)++];
    if (strncmp(text, "--", 2) != 0 && strcmp(text, "-h") != 0)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "unexpected argument \"%.60s\": flags begin with --, see --help", text);
    char name[OPTION_LEN_MAX];
    const char *equals = strchr(text, '=');
    const char *start = strcmp(text, "-h") == 0 ? "help" : text + 2;
    size_t len = equals ? (size_t)(equals - start) : strlen(start);
    if (len == 0 || len >= sizeof(name))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown flag %.60s: see --help for all of them", text);
    memcpy(name, start, len);
    name[len] = '\0';
    const struct option *option = find_option(name);
    if (!option || !option->is_flag)
        return unknown_flag(text, name, err);
    const char *value = equals ? equals + 1 : NULL;
    if (!option->value)
        return put(reader, option, value ? value : "true", SOURCE_FLAG, err);
    if (!value && *index < argc)
        value = argv[(*index)++];
    if (!value || !*value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "--%s needs a value: --%s %s", name, name, option->value);
    return put(reader, option, value, SOURCE_FLAG, err);
}

static enum charle_err read_flags(struct reader *reader, int argc, char *const *argv, struct charle_error *err)
{
    for (int i = 1; i < argc;) {
        enum charle_err rc = read_flag(reader, argc, argv, &i, err);
        if (rc)
            return rc;
    }
    return CHARLE_OK;
}

// --- environment ---------------------------------------------------------------------------------------------------

static const char *environment_value(char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (char *const *entry = environment; entry && *entry; entry++)
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return (*entry)[len + 1] ? *entry + len + 1 : NULL; // set but empty is as not set
    return NULL;
}

static enum charle_err read_environment(struct reader *reader, char *const *environment, struct charle_error *err)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        const char *value = option->environment ? environment_value(environment, option->environment) : NULL;
        if (!value)
            continue;
        char *rest = copy_text(reader->config, value, err);
        enum charle_err rc = rest ? CHARLE_OK : CHARLE_NO_MEMORY;
        bool is_list = option->apply == apply_listen || option->apply == apply_peer;
        while (rc == CHARLE_OK && rest) {
            char *item = is_list ? strsep(&rest, ",") : rest;
            rest = is_list ? rest : NULL;
            rc = *item ? put(reader, option, item, SOURCE_ENVIRONMENT, err) : CHARLE_OK;
        }
        if (rc)
            return charle_error_prefix(err, rc, "environment variable %s", option->environment);
    }
    return CHARLE_OK;
}

// --- the file ------------------------------------------------------------------------------------------------------

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static enum charle_err read_line(struct reader *reader, char *line, bool is_private, struct charle_error *err)
{
    line = trim(line);
    if (!*line || *line == '#')
        return CHARLE_OK;
    char *equals = strchr(line, '=');
    if (!equals)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "expected `name = value`");
    *equals = '\0';
    const char *name = trim(line);
    const char *value = trim(equals + 1);
    const struct option *option = find_option(name);
    if (!option || !option->is_in_file) {
        const struct option *near = nearest_option(name, true);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "unknown setting \"%.40s\"%s%s%s", name,
                           near ? ": did you mean " : "", near ? near->name : "", near ? "?" : "");
    }
    if (!*value)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%s has no value", name);
    if ((option->apply == apply_database_url || option->apply == apply_read_from) && !is_private)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "%s may hold a password and others can read this file: chmod 600 it", option->name);
    return put(reader, option, value, SOURCE_FILE, err);
}

static enum charle_err load_text(struct ch_config *config, int fd, char **out, struct charle_error *err)
{
    char *text = charle_arena_alloc(&config->arena, CONFIG_FILE_SIZE_MAX + 1);
    if (!text)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
    size_t used = 0;
    for (;;) {
        ssize_t n = read(fd, text + used, CONFIG_FILE_SIZE_MAX + 1 - used);
        if (n < 0)
            return charle_fail_foreign(err, CHARLE_IO, CHARLE_DOMAIN_POSIX, errno, "cannot be read: %s",
                                       strerror(errno));
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > CONFIG_FILE_SIZE_MAX)
            return charle_fail(err, CHARLE_TOO_LARGE, "larger than %d KiB: is this the right file?",
                               CONFIG_FILE_SIZE_MAX >> 10);
    }
    text[used] = '\0';
    *out = text;
    return CHARLE_OK;
}

static enum charle_err read_file(struct reader *reader, const char *path, bool is_required, struct charle_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !is_required)
        return CHARLE_OK;
    if (fd < 0)
        return charle_fail_foreign(err, CHARLE_INVALID_ARGUMENT, CHARLE_DOMAIN_POSIX, errno,
                                   "the settings file %.150s cannot be opened: %s", path, strerror(errno));
    char *text = NULL;
    struct stat st = {0};
    bool is_private = fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
    enum charle_err rc = load_text(reader->config, fd, &text, err);
    int number = 0;
    while (rc == CHARLE_OK && text) {
        number++;
        rc = read_line(reader, strsep(&text, "\n"), is_private, err);
    }
    close(fd);
    return rc ? charle_error_prefix(err, rc, "%.120s line %d", path, number) : CHARLE_OK;
}

static enum charle_err read_config_file(struct reader *reader, int argc, char *const *argv, char *const *environment,
                                        struct charle_error *err)
{
    const char *path = environment_value(environment, "CHARLE_CONFIG");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[i + 1];
    }
    if (path)
        return read_file(reader, path, true, err);
    char standard[PATH_SIZE_MAX];
    int len = snprintf(standard, sizeof(standard), "%s/charled.conf", reader->config->data_dir);
    return len > 0 && (size_t)len < sizeof(standard) ? read_file(reader, standard, false, err) : CHARLE_OK;
}

// --- all together --------------------------------------------------------------------------------------------------

static enum charle_err default_data_dir(struct ch_config *config, char *const *environment, struct charle_error *err)
{
    if (config->data_dir)
        return CHARLE_OK;
    if (geteuid() == 0)
        return copy(config, "/var/lib/charle", &config->data_dir, err);
    const char *home = environment_value(environment, "HOME");
    const char *data = environment_value(environment, "XDG_DATA_HOME");
    if (!data && !home)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "there is no HOME to keep data in: say --data-dir FOLDER");
    config->data_dir = data ? charle_arena_printf(&config->arena, "%s/charle", data).ptr
                            : charle_arena_printf(&config->arena, "%s/.local/share/charle", home).ptr;
    return config->data_dir ? CHARLE_OK
                            : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
}

static enum charle_err make_absolute(struct ch_config *config, struct charle_error *err)
{
    char here[PATH_SIZE_MAX];
    if (config->data_dir[0] == '/')
        return CHARLE_OK;
    if (!getcwd(here, sizeof(here)))
        return charle_fail_foreign(err, CHARLE_INVALID_ARGUMENT, CHARLE_DOMAIN_POSIX, errno,
                                   "the present folder is unknown (%s): say --data-dir with an absolute path",
                                   strerror(errno));
    const char *relative = config->data_dir;
    while (strncmp(relative, "./", 2) == 0)
        relative += 2;
    config->data_dir = charle_arena_printf(&config->arena, "%s/%s", here, relative).ptr;
    return config->data_dir ? CHARLE_OK
                            : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
}

static enum charle_err check_tls(const struct ch_config *config, const char *address, struct charle_error *err)
{
    bool wants_tls = strncmp(address, "tls+", 4) == 0;
    if (wants_tls && (!config->tls_cert_file || !config->tls_key_file))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.80s needs a certificate: give --tls-cert and --tls-key",
                           address);
    if (ch_config_is_exposed(address) && !config->allow_plaintext)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "%.80s would send passwords and data to other machines in clear text: use tls+tcp:// with "
                           "--tls-cert and --tls-key, or --allow-plaintext behind a TLS proxy",
                           address);
    return CHARLE_OK;
}

static enum charle_err check_file(const char *what, const char *path, struct charle_error *err)
{
    if (path && access(path, R_OK) != 0)
        return charle_fail_foreign(err, CHARLE_INVALID_ARGUMENT, CHARLE_DOMAIN_POSIX, errno,
                                   "%s %.150s cannot be read: %s", what, path, strerror(errno));
    return CHARLE_OK;
}

static enum charle_err check_hints(const struct ch_config *config, struct charle_error *err)
{
    bool is_wanted = config->hints_listen || config->peer_count;
    if (is_wanted && !config->hints_secret_file)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "hints between servers need a secret that they share: write one with `openssl rand -hex 32` into a "
                           "file that only the server may read, and give it with --hints-secret");
    if (config->hints_listen && strncmp(config->hints_listen, "tls+", 4) == 0 && (!config->tls_cert_file || !config->tls_key_file))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "%.80s needs a certificate: give --tls-cert and --tls-key",
                           config->hints_listen);
    enum charle_err rc = check_file("the hints' secret", config->hints_secret_file, err);
    return rc ? rc : check_file("the authority of the peers", config->hints_ca_file, err);
}

static enum charle_err finish(struct ch_config *config, struct charle_error *err)
{
    config->may_migrate |= config->is_development || !config->database_url;
    if (config->database_only && config->database_url)
        return charle_fail(
            err, CHARLE_INVALID_ARGUMENT,
            "--database-only is about the private PostgreSQL, and DATABASE_URL names another one: leave one of "
            "them out");
    enum charle_err rc = CHARLE_OK;
    if (config->listen_count == 0)
        rc = apply_listen(config, "tcp://127.0.0.1:4317", err);
    for (size_t i = 0; rc == CHARLE_OK && i < config->listen_count; i++)
        rc = check_tls(config, config->listen[i], err);
    if (rc == CHARLE_OK)
        rc = check_file("the certificate", config->tls_cert_file, err);
    if (rc == CHARLE_OK)
        rc = check_file("the private key", config->tls_key_file, err);
    return rc ? rc : check_hints(config, err);
}

enum charle_err ch_config_init(struct ch_config *config, int argc, char *const *argv, char *const *environment,
                               struct charle_error *err)
{
    struct reader reader = {.config = config};
    *config = (struct ch_config){.pool_size = POOL_SIZE_DEFAULT, .upkeep_every_s = UPKEEP_EVERY_S_DEFAULT, .keep_log_days = KEEP_LOG_DAYS_DEFAULT, .keep_files_days = KEEP_FILES_DAYS_DEFAULT,
                                 .file_max_mib = (uint32_t)(CH_FILE_SIZE_MAX >> 20), .files_max_mib = (uint32_t)(CH_FILE_STORE_MAX >> 20), .makes_seeds = true,
                                 .seed_rows = SEED_ROWS_DEFAULT, .seed_size_mib = SEED_SIZE_MIB_DEFAULT, .seed_every_s = SEED_EVERY_S_DEFAULT, .log_level = CH_LOG_INFO};
    config->operators_scope = "admins";
    config->read_lag_ms = READ_LAG_MS_DEFAULT;
    charle_arena_init(&config->arena, (size_t)1 << 20);
    enum charle_err rc = read_flags(&reader, argc, argv, err);
    if (rc || config->action == CH_CONFIG_HELP || config->action == CH_CONFIG_VERSION || config->action == CH_CONFIG_SCHEMA)
        return rc;
    rc = read_environment(&reader, environment, err);
    if (rc == CHARLE_OK)
        rc = default_data_dir(config, environment, err);
    if (rc == CHARLE_OK)
        rc = make_absolute(config, err);
    if (rc == CHARLE_OK)
        rc = read_config_file(&reader, argc, argv, environment, err);
    return rc ? rc : finish(config, err);
}

void ch_config_deinit(struct ch_config *config)
{
    if (!config)
        return;
    if (config->database_url)
        explicit_bzero(config->database_url, strlen(config->database_url));
    for (size_t i = 0; i < config->read_from_count; i++)
        explicit_bzero(config->read_from[i], strlen(config->read_from[i]));
    charle_arena_deinit(&config->arena);
    *config = (struct ch_config){0};
}

static void print_option(const struct option *option)
{
    char head[80];
    if (option->is_flag)
        snprintf(head, sizeof(head), "--%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
    else
        snprintf(head, sizeof(head), "(no flag) %s", option->name);
    printf("  %-26s", head);
    for (const char *c = option->help; *c; c++) {
        putchar(*c);
        if (*c == '\n')
            printf("%28s", "");
    }
    if (option->environment)
        printf("\n%28s[%s]", "", option->environment);
    putchar('\n');
}

void ch_config_print_help(const char *program)
{
    printf("%s - the CharleOS server: RPC, sync and sessions on PostgreSQL\n\n"
           "Usage: %s [FLAGS]\n\n"
           "Examples\n"
           "  %s                                     private PostgreSQL, answers on tcp://127.0.0.1:4317\n"
           "  %s --data-dir ./data --listen ipc:///tmp/charled.sock\n"
           "  DATABASE_URL='postgresql://app@db/charle?sslmode=verify-full' \\\n"
           "    %s --listen tls+tcp://0.0.0.0:4317 --tls-cert cert.pem --tls-key key.pem\n"
           "  %s --check                             are the settings right and the database there?\n\n"
           "Flags [environment]; in charled.conf the same names without dashes, `name = value`\n",
           program, program, program, program, program, program);
    for (int i = 0; i < OPTION_COUNT; i++)
        print_option(&options[i]);
    printf("\nSignals: SIGTERM and SIGINT finish the calls in flight (10 s at most) and stop; SIGHUP opens the log "
           "file anew.\n"
           "\nExit codes\n");
    ch_exit_print_table();
}
