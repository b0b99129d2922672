// charle key, charle wipe: encryption at rest of a profile's replica, and its end.
#include "key.h"
#include "laptop.h"

#include <string.h>

static int say(const struct cli *cli, const char *text)
{
    if (cli->json)
        printf("{\"done\":true}\n");
    else
        printf("%s\n", text);
    return CLI_OK;
}

static int encrypt(struct cli *cli)
{
    struct charle_error err = {0};
    const struct charle_client_key *key = key_of_replica(cli);
    if (!key)
        key = key_new(cli);
    if (!key)
        return CLI_USAGE;
    if (charle_replica_encrypt(cli_replica_path(cli), key, &err))
        return cli_fail(cli, &err);
    return say(cli, "The replica is encrypted, under a new data key. Without the passphrase or key, and the file replica.db.key, nobody can read it.");
}

static int change(struct cli *cli)
{
    struct charle_error err = {0};
    const struct charle_client_key *old_key = key_of_replica(cli), *fresh = old_key ? key_new(cli) : NULL;
    if (!old_key)
        fprintf(stderr, "%s: give the present key in $CHARLE_KEY_FILE or $CHARLE_PASSPHRASE, or on a terminal\n", CLI_NAME);
    if (!fresh)
        return CLI_USAGE;
    if (charle_replica_rekey(cli_replica_path(cli), old_key, fresh, &err))
        return cli_fail(cli, &err);
    return say(cli, "The old passphrase or key opens the replica no more.");
}

static int run_key(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, NULL, 0, argc, argv, &count, &code))
        return code;
    if (count == 1 && strcmp(argv[0], "encrypt") == 0)
        return encrypt(cli);
    if (count == 1 && strcmp(argv[0], "change") == 0)
        return change(cli);
    return cli_usage(command, "say what to do: encrypt or change");
}

static int run_wipe(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    bool is_sure = false;
    const struct cli_option options[] = {{"--yes", NULL, "do it: unsent calls are lost, too", NULL, &is_sure, NULL, NULL}};
    struct charle_error err = {0};
    int count, code = CLI_USAGE;
    if (!cli_parse(cli, command, options, 1, argc, argv, &count, &code))
        return code;
    if (count != 0)
        return cli_usage(command, "unexpected \"%s\"", argv[0]);
    if (!is_sure)
        return cli_usage(command, "this removes %s with its unsent calls; add --yes to do it", cli_replica_path(cli));
    if (charle_replica_wipe(cli_replica_path(cli), &err))
        return cli_fail(cli, &err);
    return say(cli, "The key was destroyed, then the replica removed.");
}

const struct cli_command cmd_key = {
    .name = "key",
    .arguments = "encrypt|change",
    .summary = "encrypt the replica, or change its passphrase",
    .help = "encrypt  writes the replica anew under a new data key: one in clear becomes encrypted, an encrypted one keeps its passphrase.\n"
            "change   takes another passphrase or key, at once; the replica may be in use.\n\n"
            "The key comes from the environment or is asked for, and is never an argument:\n"
            "  CHARLE_KEY_FILE       a file of 32 bytes, or 64 hexadecimal digits\n"
            "  CHARLE_PASSPHRASE     a passphrase\n"
            "  CHARLE_NEW_KEY_FILE, CHARLE_NEW_PASSPHRASE   the new one, for change and for a first encrypt\n"
            "With one of the first two set, every command opens the replica with it, and a new replica is made encrypted.\n\n"
            "Examples:\n"
            "  charle key encrypt\n"
            "  CHARLE_KEY_FILE=/run/keys/laptop charle key encrypt\n"
            "  charle key change",
    .run = run_key,
};

const struct cli_command cmd_wipe = {
    .name = "wipe",
    .arguments = "",
    .summary = "destroy the replica, its key first",
    .help = "Overwrites and removes the key file, then removes the replica with its unsent calls. A replica in clear is overwritten before, which a\n"
            "flash disk may not honour. The token of the session stays until it is ended on the server.\n\n"
            "Examples:\n"
            "  charle wipe --yes",
    .run = run_wipe,
};
