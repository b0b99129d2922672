// Plain words that an agency's data is made of.
#ifndef CHARLE_TOOLS_SEED_WORDS_H
#define CHARLE_TOOLS_SEED_WORDS_H

#include "tools/seed/random.h"

const char *seed_first_name(size_t index); // any index
const char *seed_last_name(size_t index);
const char *seed_company_name(size_t index); // "Northwind"; repeats after 64
const char *seed_company_kind(size_t index); // "Bakeries"

// A task's title, at most 120 bytes, and a description of two or three sentences, at most 400. Return their length.
size_t seed_task_title(struct seed_random *random, char out[160]);
size_t seed_task_description(struct seed_random *random, char out[512]);
const char *seed_goal(struct seed_random *random);
const char *seed_comment(struct seed_random *random, bool is_for_client);
const char *seed_ticket_title(struct seed_random *random);
const char *seed_reply(struct seed_random *random, bool is_from_client);
const char *seed_feedback(struct seed_random *random, bool is_fine);
const char *seed_note(struct seed_random *random); // of a time entry

#endif
