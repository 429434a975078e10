#!/bin/sh
# embed.sh FILE...: the files as C arrays, plain and gzipped, with type and ETag, for web/static.h, on standard output.
set -eu
bytes() { od -An -v -tu1 | sed 's/  *\([0-9][0-9]*\)/\1,/g'; }
echo '/* Made by web/embed.sh: the files of web/static/. */'
echo '#include "web/static.h"'
n=0
for file in "$@"; do
    echo "static const uint8_t plain_$n[] = {"; { cat "$file"; printf '\0'; } | bytes; echo '};' # an empty file, too, makes an array
    echo "static const uint8_t gzip_$n[] = {"; gzip -9nc "$file" | bytes; echo '};'
    n=$((n + 1))
done
echo 'const struct static_file static_files[] = {'
n=0
for file in "$@"; do
    case $file in
    *.html) type='text/html; charset=utf-8' ;;
    *.css) type='text/css; charset=utf-8' ;;
    *.js) type='text/javascript; charset=utf-8' ;;
    *.json) type='application/json' ;;
    *.svg) type='image/svg+xml' ;;
    *.png) type='image/png' ;;
    *.txt) type='text/plain; charset=utf-8' ;;
    *) echo "embed.sh: $file: no content type known for this ending" >&2; exit 1 ;;
    esac
    tag=$(sha256sum <"$file" | cut -c 1-16)
    echo "    {\"${file##*/}\", \"$type\", \"\\\"$tag\\\"\", plain_$n, gzip_$n, sizeof plain_$n - 1, sizeof gzip_$n},"
    n=$((n + 1))
done
echo '    {0},'
echo '};'
