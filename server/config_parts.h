// What config.c, config_option.c (the settings) and config_read.c (the places they come from) share.
#ifndef CHARLE_SERVER_CONFIG_PARTS_H
#define CHARLE_SERVER_CONFIG_PARTS_H

#include "server/config.h"

enum {
    CH_CONFIG_OPTION_LEN_MAX = 40, // of a setting's name
    CH_CONFIG_OPTIONS_MAX = 64,    // settings there may be
    CH_CONFIG_PATH_SIZE_MAX = 4096,
};

enum ch_config_where {
    CH_CONFIG_FLAG = 1,   // may stand on the command line
    CH_CONFIG_FILE = 2,   // may stand in charled.conf
    CH_CONFIG_LIST = 4,   // the environment may have several, separated by commas
    CH_CONFIG_SECRET = 8, // may hold a password, so others may not read the file that it is in
};

// Takes a setting's text. Flags without a value get "true".
typedef enum charle_err (*ch_config_apply_fn)(struct ch_config *config, const char *value, struct charle_error *err);

// What becomes of a setting's text.
enum ch_config_kind {
    CH_CONFIG_BY,     // `apply` takes it
    CH_CONFIG_TEXT,   // a text, copied
    CH_CONFIG_COUNT,  // a number of `min` to `max`, uint32_t
    CH_CONFIG_SWITCH, // bool
    CH_CONFIG_ACTION, // no value: what the program does instead of serving, `min`
};

struct ch_config_option {
    const char *name;        // "data-dir": the flag without dashes, also the key in the file
    const char *environment; // NULL: none
    const char *value;       // its name in the help; NULL: a switch
    unsigned where;          // enum ch_config_where
    struct {
        enum ch_config_kind kind;
        ch_config_apply_fn apply;
        size_t at; // where in the settings it is kept
        long min, max;
    } take;
    const char *help;
};

extern const struct ch_config_option ch_config_options[];
extern const size_t ch_config_option_count;

const struct ch_config_option *ch_config_option_find(const char *name); // NULL: there is none
// The one a person may have meant; NULL: none is near.
const struct ch_config_option *ch_config_option_nearest(const char *name, unsigned where);

// Keeps what the text says; INVALID_ARGUMENT when it says nothing, NO_MEMORY.
CHARLE_MUST_CHECK enum charle_err ch_config_option_take(const struct ch_config_option *option, struct ch_config *config, const char *value,
                                                        struct charle_error *err);

// A copy in the config's arena; NULL or NO_MEMORY when there is no room.
char *ch_config_copy_text(struct ch_config *config, const char *value, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_config_copy(struct ch_config *config, const char *value, const char **out, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_config_listen_add(struct ch_config *config, const char *value, struct charle_error *err);

// Knows which place each setting came from, so that a weaker one does not change it. Zeroed but for config: nothing was read yet.
struct ch_config_reader {
    struct ch_config *config;
    uint8_t source[CH_CONFIG_OPTIONS_MAX]; // by the option's place in the table
};

CHARLE_MUST_CHECK enum charle_err ch_config_read_flags(struct ch_config_reader *reader, int argc, char *const *argv, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_config_read_environment(struct ch_config_reader *reader, char *const *environment, struct charle_error *err);
// The file that a flag or the environment names, else the one in the data folder, which need not be there.
CHARLE_MUST_CHECK enum charle_err ch_config_read_file(struct ch_config_reader *reader, int argc, char *const *argv, char *const *environment,
                                                      struct charle_error *err);
const char *ch_config_environment(char *const *environment, const char *name); // NULL: not set, or empty

#endif
