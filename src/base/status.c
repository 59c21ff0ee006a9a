#include "base/status.h"
#include "base/utf8.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Like vsnprintf, but never ends inside a character and never leaves the buffer unterminated. */
static void format_text(char *out, size_t size, const char *format, va_list args) {
    int n = vsnprintf(out, size, format, args);
    if (n < 0)
        out[0] = '\0'; /* an encoding error: nothing of use was written */
    else if ((size_t)n >= size)
        out[t5_utf8_cut(out, size - 1)] = '\0';
}

t5_status t5_fail(t5_error *err, t5_status status, const char *format, ...) {
    if (!err)
        return status;
    if (err->status != T5_OK && err->text[0])
        return err->status;
    err->status = status;
    va_list args;
    va_start(args, format);
    format_text(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

t5_status t5_error_prefix(t5_error *err, const char *format, ...) {
    assert(err);
    if (err->status == T5_OK)
        return T5_OK;
    char whole[sizeof err->text];
    va_list args;
    va_start(args, format);
    format_text(whole, sizeof whole, format, args);
    va_end(args);
    /* snprintf could do this in one go, but a cut in the middle of a character is ours to avoid. */
    size_t n = strlen(whole);
    const char *parts[2] = {": ", err->text};
    for (int i = 0; i < 2; i++) {
        size_t room = sizeof whole - 1 - n, len = strlen(parts[i]);
        if (len > room)
            len = t5_utf8_cut(parts[i], room);
        memcpy(whole + n, parts[i], len);
        n += len;
    }
    whole[n] = '\0';
    memcpy(err->text, whole, n + 1);
    return err->status;
}

const char *t5_status_name(t5_status status) {
    switch (status) {
    case T5_OK:
        return "ok";
    case T5_ERR_INPUT:
        return "input";
    case T5_ERR_IO:
        return "input/output";
    case T5_ERR_MEMORY:
        return "out of memory";
    case T5_ERR_DEVICE:
        return "device";
    case T5_ERR_COMM:
        return "communication";
    case T5_ERR_NUMERIC:
        return "numeric";
    case T5_ERR_EMPTY:
        return "nothing to train on";
    case T5_STOPPED:
        return "stopped";
    case T5_INTERRUPTED:
        return "interrupted";
    }
    return "unknown";
}
