/* For who answers line by line: does the next line have to be waited for? */
#ifndef T5_IO_LINES_WAITING_H
#define T5_IO_LINES_WAITING_H
#include "io/lines.h"

/* Whether t5_lines_next has what it needs: a whole line, the end of the stream, or an error to
 * report. Reads what has come, so that half a line does not look like one; never waits. (A line
 * that is longer than the buffer counts as a whole one.) */
bool t5_lines_waiting(t5_lines *lines);

#endif
