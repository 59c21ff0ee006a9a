/* The log: one line to stderr per message, prefixed with the rank when there are several. The only
 * mutable global of the project is this module's level and rank. Thread-safe (one write a line). */
#ifndef T5_BASE_LOG_H
#define T5_BASE_LOG_H

typedef enum { T5_LOG_ERROR, T5_LOG_WARNING, T5_LOG_INFO, T5_LOG_DEBUG } t5_log_level;

/* rank < 0: no rank is printed (a single process). Messages above level are dropped. */
void t5_log_setup(t5_log_level level, int rank);
void t5_log(t5_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
