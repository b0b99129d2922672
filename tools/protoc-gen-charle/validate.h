// protoc resolves and names everything before it starts a plugin, and all code here counts on it. What comes from elsewhere is looked at
// first: a request that lacks a name is no request.
#ifndef CHARLE_GEN_VALIDATE_H
#define CHARLE_GEN_VALIDATE_H

#include "gen.h"

bool ch_request_is_whole(const ChPlugin__Request *request);

#endif
