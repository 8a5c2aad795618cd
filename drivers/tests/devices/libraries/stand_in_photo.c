/* A stand-in for a vendor's photo library, for tests only. It decodes no real card: a
 * block is "TWLT", one letter that says how to behave, then 32 x 40 grey values of four
 * bits (the upper nibble is left). Built three times, with one of UNPACK, BUFFER, FILES. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 102, HEIGHT = 126, RAW = WIDTH * HEIGHT * 3, ROW = WIDTH * 3 + 2 };
enum { BMP = 54 + HEIGHT * ROW, ESCAPES = 8 };

/* 1 for each wall that could be climbed. */
static unsigned char from_constructor[ESCAPES], from_call[ESCAPES];

static int opens(const char *path, int flags) {
    int file = open(path, flags, 0600);
    if (file < 0) return 0;
    close(file);
    return 1;
}

static void try_to_escape(unsigned char *done) {
    done[0] = socket(AF_INET, SOCK_STREAM, 0) >= 0;
    done[1] = socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
    pid_t child = fork();
    if (child == 0) _exit(0);
    done[2] = child > 0;
    done[3] = kill(getppid(), 0) == 0;
    done[4] = ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
    char *none[] = {"/bin/true", NULL};
    execve("/bin/true/no", none, none);
    done[5] = errno != EPERM;
    done[6] = opens("/etc/passwd", O_RDONLY);
    done[7] = opens("/var/tmp/photo-escape", O_WRONLY | O_CREAT);
}

__attribute__((constructor)) static void begin(void) { try_to_escape(from_constructor); }

/* A library's farewell may crash; nobody is to notice. */
__attribute__((destructor)) static void end(void) { abort(); }

static int grey(const unsigned char *block, int x, int y) {
    int at = (y * 40 / HEIGHT) * 32 + x * 32 / WIDTH;
    int two = block[5 + at / 2];
    return (at % 2 ? two & 15 : two >> 4) * 17;
}

/* Colours differ, so that a swapped order is seen. */
static void pixels(const unsigned char *block, unsigned char *out, int padding) {
    for (int y = 0; y < HEIGHT; y++) {
        /* With padding it is a BMP, which begins below. */
        unsigned char *row = out + (padding ? HEIGHT - 1 - y : y) * (WIDTH * 3 + padding);
        for (int x = 0; x < WIDTH; x++) {
            int value = grey(block, x, y);
            row[3 * x] = value;
            row[3 * x + 1] = value / 2;
            row[3 * x + 2] = value / 4;
        }
    }
}

static void bmp(const unsigned char *block, unsigned char *out) {
    int words[13] = {BMP, 0, 54, 40, WIDTH, HEIGHT, 1 | 24 << 16};
    memset(out, 0, BMP);
    memcpy(out, "BM", 2);
    memcpy(out + 2, words, sizeof words);
    pixels(block, out + 54, 2);
}

/* 1 to go on; otherwise the answer. */
static int behave(const unsigned char *block, unsigned char *out, int size) {
    char here;
    static volatile char *wild;
    volatile unsigned spin = 1;
    if (memcmp(block, "TWLT", 4)) return -4;
    switch (block[4]) {
    case 'c': *(volatile int *)8 = 1; return 1;
    case 'h': for (;;) pause();
    case 'b': while (spin) spin |= 1; return 1;
    case 's': memset(out, 7, size + 5000); return 1;
    case 'w': wild = &here; for (long i = -100000; i < 10000000; i++) wild[i] = 0x41; return 1;
    case 'r': return -1;
    case 'l': return -5;
    case 'd': return -6;
    case 'z': memset(out, 0, size); return 1;
    case 'x': exit(0);
    case 'a': abort();
    case 'm': for (;;) *(volatile char *)malloc(1 << 20) = 1;
    case 'p': printf("BM decoding, please wait\n"); fflush(stdout); return 1;
    default: return 1;
    }
}

static void show_escapes(unsigned char *out) {
    try_to_escape(from_call);
    memset(out, 0, 3 * 2 * ESCAPES);
    for (int i = 0; i < ESCAPES; i++) {
        memset(out + 3 * i, from_constructor[i] ? 255 : 0, 3);
        memset(out + 3 * (ESCAPES + i), from_call[i] ? 255 : 0, 3);
    }
}

#ifdef UNPACK
/* The name that a C++ compiler gives to int unpack(char *, char *, int). */
int _Z6unpackPcS_i(char *block, char *out, int mode) {
    unsigned char *in = (unsigned char *)block, *to = (unsigned char *)out;
    if (mode != 708) return 0;
    int answer = behave(in, to, RAW + 306);
    if (answer != 1 || in[4] == 'z') return answer == 1;
    pixels(in, to, 0);
    if (in[4] == 'e') show_escapes(to);
    return 1;
}
#endif

#ifdef BUFFER
int wlt2bmpBuffer(unsigned char *block, unsigned char *out, int size) {
    if (size < BMP) return 0;
    int answer = behave(block, out, BMP);
    if (answer != 1 || block[4] == 'z') return answer;
    bmp(block, out);
    if (block[4] == 'e') show_escapes(out + 54 + (HEIGHT - 1) * ROW);
    return 1;
}
#endif

#ifdef FILES
int GetBmp(const char *path, int interface) {
    static unsigned char block[1024], out[BMP + 8192];
    char to[4096];
    size_t length = strlen(path);
    if (interface != 1 && interface != 2) return -6;
    if (length < 4 || strcmp(path + length - 4, ".wlt")) return -2;
    FILE *from = fopen(path, "rb");
    if (!from || fread(block, 1, 1024, from) != 1024) return -3;
    fclose(from);
    int answer = behave(block, out, BMP);
    if (answer != 1 || block[4] == 'z') return answer;
    bmp(block, out);
    if (block[4] == 'e') show_escapes(out + 54 + (HEIGHT - 1) * ROW);
    snprintf(to, sizeof to, "%.*sbmp", (int)length - 3, path);
    FILE *picture = fopen(to, "wb");
    if (!picture || fwrite(out, 1, BMP, picture) != BMP) return -3;
    return fclose(picture) ? -3 : 1;
}
#endif
