// CHARLE_ASSERT for what is too dear to look at every time: on in builds with sanitizers and in the simulation's own, and nothing elsewhere.
#ifndef CHARLE_BASE_SLOW_H
#define CHARLE_BASE_SLOW_H

#include "base/err.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(CHARLE_PLANTS)
#define CHARLE_ASSERT_SLOW(condition) CHARLE_ASSERT(condition)
#else
#define CHARLE_ASSERT_SLOW(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
