<?php
/** Sends PHP's own streams, such as file_get_contents and fopen, to a door, with any context. */
final class FacematchDoor
{
    /** @var resource|null set by PHP */
    public $context;
    /** @var resource|false */
    private $stream = false;

    public static function open(): void
    {
        foreach (['http', 'https'] as $scheme) {
            stream_wrapper_unregister($scheme);
            stream_wrapper_register($scheme, self::class, STREAM_IS_URL);
        }
    }

    public function stream_open(string $url, string $mode): bool
    {
        $options = $this->context ? stream_context_get_options($this->context) : [];
        $host = trim((string) parse_url($url, PHP_URL_HOST), '[]');
        if (!preg_match('/^(localhost|::1|127(\.\d+){3})$/i', $host)) {
            $options['http']['proxy'] = 'tcp://127.0.0.1:' . getenv('FACEMATCH_DOOR_PORT');
            $options['ssl']['cafile'] = getenv('FACEMATCH_DOOR_CA');
        }
        // PHP's own streams do the work.
        stream_wrapper_restore('http');
        stream_wrapper_restore('https');
        try {
            $this->stream = fopen($url, $mode, false, stream_context_create($options));
        } finally {
            self::open();
        }
        // PHP sets it here; the program looks for it where it called.
        $GLOBALS['http_response_header'] = $http_response_header ?? [];
        return $this->stream !== false;
    }

    public function stream_read(int $count)
    {
        return fread($this->stream, $count);
    }

    public function stream_eof(): bool
    {
        return feof($this->stream);
    }

    public function stream_stat()
    {
        return fstat($this->stream);
    }

    public function stream_set_option(int $option, int $first, ?int $second): bool
    {
        if ($option === STREAM_OPTION_BLOCKING) {
            return stream_set_blocking($this->stream, (bool) $first);
        }
        if ($option === STREAM_OPTION_READ_TIMEOUT) {
            return stream_set_timeout($this->stream, $first, $second ?? 0);
        }
        return false;
    }

    public function stream_close(): void
    {
        fclose($this->stream);
    }
}

if (getenv('FACEMATCH_DOOR_PORT')) {
    FacematchDoor::open();
}
