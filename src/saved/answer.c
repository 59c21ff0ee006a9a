#include "saved/answer.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

void t5_answer_write_text(FILE *out, const char *output) {
    for (;;) {
        size_t n = strcspn(output, "\r\n");
        fwrite(output, 1, n, out);
        if (!output[n])
            break;
        fputc(' ', out);
        output += n + 1;
    }
    fputc('\n', out);
}

/* Bytes of the UTF-8 character at s[0..n), n >= 1; 0: none begins there. */
static size_t character(const char *s, size_t n) {
    for (size_t k = 1; k <= 4 && k <= n; k++)
        if (t5_utf8_valid(s, k))
            return k;
    return 0;
}

/* A JSON string (RFC 8259): quotes, backslashes and control characters are escaped, the rest is
 * UTF-8 as it is. */
static void write_string(FILE *out, const char *s, size_t n) {
    fputc('"', out);
    for (size_t i = 0, k; i < n; i += k ? k : 1) {
        k = character(s + i, n - i);
        if (k == 0)
            fputs("\xef\xbf\xbd", out); /* U+FFFD */
        else if (s[i] == '"' || s[i] == '\\')
            fprintf(out, "\\%c", s[i]);
        else if ((unsigned char)s[i] < 0x20)
            fprintf(out, "\\u%04x", (unsigned)s[i]);
        else
            fwrite(s + i, 1, k, out);
    }
    fputc('"', out);
}

void t5_answer_write_json(FILE *out, const t5_answer *a, const char *settings) {
    fputs("{\"input\": ", out);
    write_string(out, a->input, a->input_bytes);
    fputs(", \"output\": ", out);
    write_string(out, a->output, strlen(a->output));
    if (a->answered)
        fprintf(out, ", \"score\": %.6g", (double)a->score);
    else
        fputs(", \"score\": null", out);
    fprintf(out, ", \"tokens\": %d, \"cut\": %s, \"settings\": %s}\n", a->tokens,
            a->cut ? "true" : "false", settings);
}

char *t5_answer_settings(const char *model, const t5_decode_spec *d, bool restricted) {
    static const char *const kinds[] = {
        [T5_DECODE_GREEDY] = "greedy", [T5_DECODE_BEAM] = "beam", [T5_DECODE_SAMPLE] = "sample"};
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);
    if (!f)
        return NULL;
    fputs("{\"model\": ", f);
    write_string(f, model, strlen(model));
    fprintf(f, ", \"decode\": \"%s\"", kinds[d->kind]);
    if (d->kind == T5_DECODE_BEAM)
        fprintf(f, ", \"beams\": %d", d->beams);
    if (d->kind == T5_DECODE_SAMPLE)
        fprintf(f, ", \"temperature\": %.15g, \"top_k\": %d, \"top_p\": %.15g, \"seed\": %llu",
                d->temperature, d->top_k, d->top_p, (unsigned long long)d->seed);
    fprintf(f, ", \"repetition_penalty\": %.15g, \"max_length\": %d, \"restricted\": %s}",
            d->repetition_penalty, d->max_length, restricted ? "true" : "false");
    bool lost = ferror(f);
    if (fclose(f) != 0 || lost) {
        free(text);
        return NULL;
    }
    return text;
}
