# Example numbers of every region of the world: the good ones get a code, in every spelling, and the bad ones do not

install() {
    # The metadata of this version is what the gateway carries.
    pypi phonenumbers phonenumbers==9.0.42
}

behind() {
    open_route_to demo:
    printf '[otp]\ncountries = "*"\nrefuse_types = []\nguard.mode = "off"\nlimits = ["1000000/1h per ip"]\n' >>"$STAGE/behind.toml"
}

judge() {
    "$KEPT/phonenumbers/bin/python" "$PEERS/phonenumbers_caller.py" "$PLAIN" | judged
}
