#!/bin/sh
# Writes the stores of this folder anew, with keytool and openssl. All hold the key of "worker",
# certified by "ca", or trust "ca"; they are valid for a hundred years.
set -e
cd "$(dirname "$0")"
rm -f *.jks *.p12 *.pem *.csr
K="keytool -noprompt -storepass store-secret"
$K -genkeypair -keystore ca.p12 -storetype PKCS12 -alias ca -keyalg EC -dname CN=ca -ext bc:c -validity 36500
$K -exportcert -keystore ca.p12 -alias ca -rfc > ca.pem
$K -genkeypair -keystore key.p12 -storetype PKCS12 -alias worker -keyalg RSA -keysize 2048 -dname CN=worker -validity 36500
$K -certreq -keystore key.p12 -alias worker > worker.csr
$K -gencert -keystore ca.p12 -alias ca -infile worker.csr -ext san=dns:localhost,ip:127.0.0.1 -validity 36500 -rfc > worker.pem
$K -importcert -keystore key.p12 -alias ca -file ca.pem
$K -importcert -keystore key.p12 -alias worker -file worker.pem
# The same as JKS, with a password of its own for the key.
keytool -noprompt -importkeystore -srckeystore key.p12 -srcstorepass store-secret -destkeystore key.jks -deststoretype JKS \
  -deststorepass store-secret -srcalias worker -destkeypass key-secret
# As keytool wrote PKCS12 before Java 17, and openssl before 3: RC2 with 40 bits and 3DES.
keytool -J-Dkeystore.pkcs12.legacy -noprompt -importkeystore -srckeystore key.p12 -srcstorepass store-secret -destkeystore legacy.p12 \
  -deststoretype PKCS12 -deststorepass store-secret -srcalias worker
openssl pkcs12 -in key.p12 -passin pass:store-secret -nodes -nocerts -out plain-key.pem
cat worker.pem ca.pem plain-key.pem > key.pem
openssl pkcs12 -export -inkey plain-key.pem -in worker.pem -certfile ca.pem -name worker -passout pass:store-secret -out openssl.p12
openssl pkcs12 -export -legacy -inkey plain-key.pem -in worker.pem -certfile ca.pem -passout pass:store-secret -out openssl-legacy.p12
openssl pkcs8 -topk8 -in plain-key.pem -passout pass:key-secret -out sealed-key.pem
cat worker.pem ca.pem sealed-key.pem > sealed.pem
# Trust stores.
$K -importcert -keystore trust.p12 -storetype PKCS12 -alias ca -file ca.pem
$K -importcert -keystore trust.jks -storetype JKS -alias ca -file ca.pem
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:store-secret -out openssl-trust.p12
rm -f worker.csr worker.pem plain-key.pem sealed-key.pem ca.p12
