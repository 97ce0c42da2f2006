<?php
$call = curl_init('https://verification.didit.me/v3/face-match/');
curl_setopt_array($call, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => ['x-api-key: the-programs-own-key'],
    CURLOPT_POSTFIELDS => ['user_image' => new CURLFile('selfie.png'), 'ref_image' => new CURLFile('id.png')],
]);
echo json_decode(curl_exec($call))->face_match->status, "\n", curl_error($call);
