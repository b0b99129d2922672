// Session tokens: what a client shows, and what the database keeps of it.
//
// A token is "ct_" and 43 characters: 256 random bits. The database holds only its BLAKE2b-256 as hex, so that a copy
// of the database opens no session. A fast hash is right here, unlike for passwords: nobody can guess 256 bits.
#ifndef CHARLE_SERVER_TOKEN_H
#define CHARLE_SERVER_TOKEN_H

#include "base/str.h"

#define CH_TOKEN_SIZE      47 // with the NUL
#define CH_TOKEN_HASH_SIZE 65 // 64 hex digits and a NUL

void ch_token_new(char out[CH_TOKEN_SIZE]);
bool ch_token_is_well_formed(struct charle_str token); // cheap: refuses rubbish before anything is asked
void ch_token_hash(struct charle_str token, char out[CH_TOKEN_HASH_SIZE]);

// The token of an "authorization" value: "Bearer ct_…". ptr NULL when it is something else.
struct charle_str ch_token_of_header(struct charle_str value);

#endif
