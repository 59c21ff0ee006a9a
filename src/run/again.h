/* What a user types to go on with a run. */
#ifndef T5_RUN_AGAIN_H
#define T5_RUN_AGAIN_H
#include "run/sweep.h"

/* The command line of `command` on so many ranks, with --resume, quoted for a shell where that is
 * needed; cut to the size of text. Pure. */
void t5_command_again(const t5_command *command, int ranks, char *text, size_t size);

#endif
