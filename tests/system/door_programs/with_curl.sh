curl --silent --show-error --header "x-api-key: key-of-the-program" \
  --form user_image=@selfie.png --form ref_image=@id.png \
  https://verification.didit.me/v3/face-match/ | grep --only-matching '"status":"Approved"'
