<?php
$health = file_get_contents('https://verification.didit.me/system/healthcheck');
$status = $http_response_header[0];
$context = stream_context_create(['http' => [
    'method' => 'POST',
    'header' => 'Content-Type: application/x-www-form-urlencoded',
    'content' => 'client_id=client-of-the-program&client_secret=secret-of-the-program',
]]);
$answer = json_decode(file_get_contents('https://production.deepvue.tech/v1/authorize', false, $context));
echo $status, ', token ', isset($answer->access_token) ? 'true' : 'false', "\n";
