<?php
$OC_Version = array(32,0,1,2);
