#include "server/config_parts.h"

#include "base/limits.h"
#include "server/exit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    POOL_SIZE_DEFAULT = 8,
    READ_LAG_MS_DEFAULT = 1000,
    UPKEEP_EVERY_S_DEFAULT = 3600,
    KEEP_FILES_DAYS_DEFAULT = 7, // a laptop has uploaded a file, and its call follows within a week
    KEEP_LOG_DAYS_DEFAULT = 400, // a year away, and some
    SEED_ROWS_DEFAULT = 50000,   // fewer are copied in half a second
    SEED_SIZE_MIB_DEFAULT = 8192,
    SEED_EVERY_S_DEFAULT = 86400,
};

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

static enum charle_err default_data_dir(struct ch_config *config, char *const *environment, struct charle_error *err)
{
    if (config->data_dir)
        return CHARLE_OK;
    if (geteuid() == 0)
        return ch_config_copy(config, "/var/lib/charle", &config->data_dir, err);
    const char *home = ch_config_environment(environment, "HOME");
    const char *data = ch_config_environment(environment, "XDG_DATA_HOME");
    if (!data && !home)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "there is no HOME to keep data in: say --data-dir FOLDER");
    config->data_dir = data ? charle_arena_printf(&config->arena, "%s/charle", data).ptr
                            : charle_arena_printf(&config->arena, "%s/.local/share/charle", home).ptr;
    return config->data_dir ? CHARLE_OK
                            : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while reading the settings");
}

static enum charle_err make_absolute(struct ch_config *config, struct charle_error *err)
{
    char here[CH_CONFIG_PATH_SIZE_MAX];
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
        rc = ch_config_listen_add(config, "tcp://127.0.0.1:4317", err);
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
    struct ch_config_reader reader = {.config = config};
    *config = (struct ch_config){.pool_size = POOL_SIZE_DEFAULT, .upkeep_every_s = UPKEEP_EVERY_S_DEFAULT, .keep_log_days = KEEP_LOG_DAYS_DEFAULT, .keep_files_days = KEEP_FILES_DAYS_DEFAULT,
                                 .file_max_mib = (uint32_t)(CH_FILE_SIZE_MAX >> 20), .files_max_mib = (uint32_t)(CH_FILE_STORE_MAX >> 20), .makes_seeds = true,
                                 .seed_rows = SEED_ROWS_DEFAULT, .seed_size_mib = SEED_SIZE_MIB_DEFAULT, .seed_every_s = SEED_EVERY_S_DEFAULT, .log_level = CH_LOG_INFO};
    config->operators_scope = "admins";
    config->read_lag_ms = READ_LAG_MS_DEFAULT;
    charle_arena_init(&config->arena, (size_t)1 << 20);
    enum charle_err rc = ch_config_read_flags(&reader, argc, argv, err);
    if (rc || config->action == CH_CONFIG_HELP || config->action == CH_CONFIG_VERSION || config->action == CH_CONFIG_SCHEMA)
        return rc;
    rc = ch_config_read_environment(&reader, environment, err);
    if (rc == CHARLE_OK)
        rc = default_data_dir(config, environment, err);
    if (rc == CHARLE_OK)
        rc = make_absolute(config, err);
    if (rc == CHARLE_OK)
        rc = ch_config_read_file(&reader, argc, argv, environment, err);
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

static void print_option(const struct ch_config_option *option)
{
    char head[80];
    if (option->where & CH_CONFIG_FLAG)
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
    for (size_t i = 0; i < ch_config_option_count; i++)
        print_option(&ch_config_options[i]);
    printf("\nSignals: SIGTERM and SIGINT finish the calls in flight (10 s at most) and stop; SIGHUP opens the log "
           "file anew.\n"
           "\nExit codes\n");
    ch_exit_print_table();
}
